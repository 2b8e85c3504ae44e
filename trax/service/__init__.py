"""The daemon: loop, signals, systemd notification, control socket."""
