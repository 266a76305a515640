// Keeps a page as the server would show it now: when something changes that bears on it, the page is asked for again and
// the parts that differ take the place of the old ones. Whatever is shown was made, and escaped, by the server.
"use strict";
(() => {
  const watched = document.querySelector("main[data-watch]")?.dataset.watch;
  if (!watched) return;

  // A whole fleet changes all the time; one machine is followed closely.
  const PAUSE = watched === "*" ? 2000 : 400;
  const EVERY = 30000; // times such as "5 s ago" grow old by themselves
  const LINES = 5000;
  const away = document.getElementById("away");
  let busy = false;
  let again = false;

  function parse(text) {
    return new DOMParser().parseFromString(text, "text/html");
  }

  async function ask(url) {
    const answer = await fetch(url, { credentials: "same-origin" });
    if (answer.redirected) {
      // Logged out meanwhile.
      location.reload();
      throw new Error("logged out");
    }
    if (!answer.ok) throw new Error(answer.status);
    return parse(await answer.text());
  }

  function typing(part) {
    return part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
  }

  function replace(page) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (!fresh || typing(old)) continue;
      for (const details of fresh.querySelectorAll("details[id]")) {
        const was = document.getElementById(details.id);
        if (was) details.open = was.open;
      }
      if (!old.isEqualNode(fresh)) old.replaceWith(document.adoptNode(fresh));
    }
    const log = document.getElementById("log");
    const other = page.getElementById("log");
    if (log && other && log.dataset.more !== other.dataset.more) log.replaceWith(document.adoptNode(other));
    if (!log && other) location.reload();
  }

  async function extend() {
    const log = document.getElementById("log");
    if (!log) return;
    const url = new URL(log.dataset.more, location.href);
    for (;;) {
      url.searchParams.set("after", log.lastElementChild?.dataset.n ?? 0);
      const lines = [...(await ask(url)).querySelectorAll("p[data-n]")];
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      log.append(...lines.map((line) => document.adoptNode(line)));
      while (log.childElementCount > LINES) log.firstElementChild.remove();
      if (atEnd) log.scrollTop = log.scrollHeight;
      if (lines.length < 1000) return;
    }
  }

  async function refresh() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      replace(await ask(location.href));
      await extend();
    } catch (error) {
      console.warn("the page could not be renewed:", error);
    }
    setTimeout(() => {
      busy = false;
      if (again) {
        again = false;
        refresh();
      }
    }, PAUSE);
  }

  const stream = new EventSource("/ui/stream");
  stream.addEventListener("machine", (event) => {
    if (watched === "*" || JSON.parse(event.data).machine === watched) refresh();
  });
  stream.addEventListener("everything", refresh);
  stream.addEventListener("open", () => {
    away.hidden = true;
    // What happened while nobody listened.
    refresh();
  });
  stream.addEventListener("error", () => {
    away.hidden = false;
  });
  setInterval(() => {
    if (!document.hidden) refresh();
  }, EVERY);
  const log = document.getElementById("log");
  if (log) log.scrollTop = log.scrollHeight;
})();
