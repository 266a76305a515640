# A system that is started tells the server that it is up. To be sourced after say.sh; $CONFIRM_SECONDS says within which
# time.

# Puts what confirms into a system: a program, and what starts it. It asks the server once with a token that is good for
# once, tells the watchdog that all is well, and is gone. When it does not succeed in time, the machine restarts.
install_confirm() { # ROOT
    mkdir -p "$1/etc/xenoboot" "$1/usr/local/sbin"
    (umask 077 && xb confirm-url --curl > "$1/etc/xenoboot/confirm") || fail "the server gives out no token to confirm with"
    driver=$(basename "$(readlink -f /sys/class/watchdog/watchdog0/device/driver/module)" 2> /dev/null || true)
    cat > "$1/usr/local/sbin/xenoboot-confirm" << END
#!/bin/sh
# Tells the server of Xenoboot that this system is up: once, after its installation.
file=/etc/xenoboot/confirm
[ -e \$file ] || exit 0
tries=$((CONFIRM_SECONDS / 5))
until sh \$file; do
    tries=\$((tries - 1))
    if [ \$tries -le 0 ]; then
        echo "the server was not reached within $CONFIRM_SECONDS s: restarting" > /dev/kmsg
        reboot
        exit 1
    fi
    sleep 5
done
rm -f \$file
sync
echo "the server knows that this system is up" > /dev/kmsg
# The watchdog was armed before this kernel was started. V tells its driver to stop it.
[ -z "$driver" ] || modprobe "$driver" 2> /dev/null
[ ! -e /dev/watchdog ] || printf V > /dev/watchdog
END
    chmod 755 "$1/usr/local/sbin/xenoboot-confirm"
    if [ -d "$1/usr/lib/systemd/system" ]; then
        confirm_by_systemd "$1"
    else
        confirm_by_init "$1"
    fi
}

confirm_by_systemd() { # ROOT
    mkdir -p "$1/etc/systemd/system/multi-user.target.wants"
    cat > "$1/etc/systemd/system/xenoboot-confirm.service" << 'END'
[Unit]
Description=Tell the server of Xenoboot that this system is up
Wants=network-online.target
After=network-online.target
ConditionPathExists=/etc/xenoboot/confirm

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/xenoboot-confirm
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
END
    ln -sf ../xenoboot-confirm.service "$1/etc/systemd/system/multi-user.target.wants/xenoboot-confirm.service"
}

confirm_by_init() { # ROOT
    mkdir -p "$1/etc/init.d"
    cat > "$1/etc/init.d/xenoboot-confirm" << 'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides:          xenoboot-confirm
# Required-Start:    $network $remote_fs
# Required-Stop:
# Default-Start:     2 3 4 5
# Default-Stop:
# Short-Description: Tell the server of Xenoboot that this system is up
### END INIT INFO
[ "$1" != start ] || /usr/local/sbin/xenoboot-confirm &
END
    chmod 755 "$1/etc/init.d/xenoboot-confirm"
    for level in 2 3 4 5; do
        mkdir -p "$1/etc/rc$level.d"
        ln -sf ../init.d/xenoboot-confirm "$1/etc/rc$level.d/S99xenoboot-confirm"
    done
}
