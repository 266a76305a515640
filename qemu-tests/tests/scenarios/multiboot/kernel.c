/* A Multiboot kernel of both versions that prints on the first serial port what it was told, and checks what it can. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

__asm__(
    ".section .head, \"a\"\n"
    ".balign 8\n"
    "one:   .long 0x1badb002, 3, -(0x1badb002 + 3)\n"
    ".balign 8\n"
    "two:   .long 0xe85250d6, 0, two_end - two, -(0xe85250d6 + (two_end - two))\n"
    "       .word 1, 0; .long 16, 4, 6\n" /* wants memory sizes and map */
    "       .word 0, 0; .long 8\n"
    "two_end:\n"
    ".text\n"
    ".globl _start\n"
    "_start: movl $stack_end, %esp\n"
    "       pushf\n"
    "       pushl %ebx\n"
    "       pushl %eax\n"
    "       call run\n"
    "1:     hlt\n"
    "       jmp 1b\n"
    ".bss\n"
    ".skip 8192\n"
    "stack_end:\n"
    ".text\n");

static volatile u32 zeros[4096]; /* in .bss: must be zero when it starts */

static void out(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static u8 in(u16 port) {
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static void put(char c) {
    while (!(in(0x3fd) & 0x20)) {}
    out(0x3f8, (u8)c);
}
static void say(const char *text) {
    while (*text) put(*text++);
}
static void number(u32 value) {
    if (value >= 10) number(value / 10);
    put((char)('0' + value % 10));
}
static void hex(u32 value) {
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}
static void line(const char *name, const char *text) {
    say("told: ");
    say(name);
    say(text);
    say("\r\n");
}
static void amount(const char *name, u32 value) {
    say("told: ");
    say(name);
    number(value);
    say("\r\n");
}

/* A module's command line and its contents up to the first zero, which the page behind it has. */
static void module(u32 start, u32 end, const char *text) {
    say("told: module of ");
    number(end - start);
    say(" at ");
    number(start & 4095);
    say(", ");
    say(text);
    say(": ");
    for (u32 at = start; at < end && at < start + 32; at++) put(*(char *)at);
    say("\r\n");
}

static int root(const u8 *at) {
    const char *mark = "RSD PTR ";
    u8 sum = 0;
    for (int n = 0; n < 20; n++) sum += at[n];
    for (int n = 0; n < 8; n++)
        if (at[n] != (u8)mark[n]) return 0;
    return sum == 0;
}

/* Where a BIOS has it. */
static int root_by_bios(void) {
    u32 area = (u32)*(volatile u16 *)0x40e << 4;
    if (area >= 0x80000 && area < 0xa0000)
        for (u32 at = area; at < area + 1024; at += 16)
            if (root((u8 *)at)) return 1;
    for (u32 at = 0xe0000; at < 0x100000; at += 16)
        if (root((u8 *)at)) return 1;
    return 0;
}

static u32 ram_mib(u32 at, u32 end, u32 size, u32 offset) {
    u64 sum = 0;
    for (; at < end; at += size ? size : *(u32 *)at + 4)
        if (*(u32 *)(at + offset + 16) == 1) sum += *(u64 *)(at + offset + 8);
    return (u32)(sum >> 20);
}

static void by_one(u32 *info) {
    line("version ", "1");
    line("line ", (char *)info[4]);
    line("loader ", (char *)info[16]);
    amount("low KiB ", info[1]);
    amount("high MiB ", info[2] >> 10);
    for (u32 n = 0; n < info[5]; n++) {
        u32 *entry = (u32 *)info[6] + 4 * n;
        module(entry[0], entry[1], (char *)entry[2]);
    }
    amount("RAM MiB ", ram_mib(info[12], info[12] + info[11], 0, 4));
    if (info[0] & 1 << 12) amount("picture ", ((u8 *)info)[109]);
}

static void by_two(u32 info) {
    line("version ", "2");
    for (u32 at = info + 8; *(u32 *)at; at += (*(u32 *)(at + 4) + 7) & ~7u) {
        u32 *tag = (u32 *)at;
        if (tag[0] == 1) line("line ", (char *)(tag + 2));
        if (tag[0] == 2) line("loader ", (char *)(tag + 2));
        if (tag[0] == 3) module(tag[2], tag[3], (char *)(tag + 4));
        if (tag[0] == 4) amount("low KiB ", tag[2]);
        if (tag[0] == 4) amount("high MiB ", tag[3] >> 10);
        if (tag[0] == 6) amount("RAM MiB ", ram_mib(at + 16, at + tag[1], tag[2], 0));
        if (tag[0] == 8) amount("picture ", ((u8 *)at)[29]);
        if (tag[0] == 14 || tag[0] == 15) line("tables ", root((u8 *)(tag + 2)) ? "right" : "wrong");
    }
}

void run(u32 magic, u32 info, u32 flags) {
    u32 cr0, cr4, dirty = 0;
    __asm__ volatile("movl %%cr0, %0; movl %%cr4, %1" : "=r"(cr0), "=r"(cr4));
    for (u32 n = 0; n < 4096; n++) dirty |= zeros[n];
    line("state ", (cr0 & 0x80000001) == 1 && cr4 == 0 && !(flags & 0x20200) && !dirty ? "right" : "wrong");
    if (magic == 0x2badb002) by_one((u32 *)info);
    else if (magic == 0x36d76289) by_two(info);
    else hex(magic);
    line("tables by BIOS ", root_by_bios() ? "right" : "wrong");
    line("", "all");
}
