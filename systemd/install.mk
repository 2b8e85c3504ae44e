# `make install`: the service laid out below DESTDIR. Needs no root there: who owns what is written in sysusers.d and tmpfiles.d.

APP := $(DESTDIR)$(PREFIX)
SETTINGS := $(DESTDIR)$(SYSCONFDIR)/trax/trax.yaml

.PHONY: install install-settings
install: wheel install-settings
	@case "$$($(PYTHON) -c 'import os, sys; print(os.path.realpath(sys.executable))')" in /root/*|/home/*) \
		echo 'note: this Python lies in a home folder, which the service may not read; make install PYTHON=/usr/bin/python3 takes the system one' >&2;; esac
	umask 022; install -d $(APP) $(DESTDIR)$(BINDIR) $(DESTDIR)$(SYSCONFDIR)/trax $(DESTDIR)$(ROOT) \
		$(DESTDIR)$(LIBDIR)/systemd/system $(DESTDIR)$(LIBDIR)/sysusers.d $(DESTDIR)$(LIBDIR)/tmpfiles.d
	umask 022; "$(PYTHON)" -m venv $(APP)
	umask 022; $(APP)/bin/python -m pip install --quiet --constraint constraints.txt $(DIST)/trax-*.whl
	umask 022; $(APP)/bin/python -m pip install --quiet --no-deps --force-reinstall $(DIST)/trax-*.whl
	@# scripts of a virtual environment name its folder, which is another once DESTDIR is gone
	@if [ -n "$(DESTDIR)" ]; then grep -rIlZ --exclude-dir=lib -F '$(APP)' $(APP) | xargs -0 -r sed -i 's|$(APP)|$(PREFIX)|g'; fi
	install -D -m 0644 README.md $(APP)/share/doc/trax/README.md
	ln -sfn $(PREFIX)/bin/trax-ctl $(DESTDIR)$(BINDIR)/trax-ctl
	@place='s|/opt/trax|$(PREFIX)|g; s|/srv/trax|$(ROOT)|g; s|/etc/trax|$(SYSCONFDIR)/trax|g'; \
	sed "$$place" systemd/traxd.service > $(DESTDIR)$(LIBDIR)/systemd/system/traxd.service; \
	sed "$$place" systemd/trax.sysusers.conf > $(DESTDIR)$(LIBDIR)/sysusers.d/trax.conf; \
	sed "$$place" systemd/trax.tmpfiles.conf > $(DESTDIR)$(LIBDIR)/tmpfiles.d/trax.conf; \
	chmod 0644 $(DESTDIR)$(LIBDIR)/systemd/system/traxd.service $(DESTDIR)$(LIBDIR)/sysusers.d/trax.conf $(DESTDIR)$(LIBDIR)/tmpfiles.d/trax.conf
	install -d -m 2770 $(DESTDIR)$(ROOT)/inbox
	install -d -m 2750 $(DESTDIR)$(ROOT)/outbox
	install -d -m 0750 $(DESTDIR)$(ROOT)/state
	@echo 'Installed. On the machine itself, as root:'
	@echo '  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload && systemctl enable --now traxd'
	@echo '  systemctl restart traxd   # where a former version still runs'
	@echo '  usermod -aG trax ALICE    # Alice may then drop recordings into $(ROOT)/inbox and use trax-ctl'

# Settings that someone has written stay; the new defaults lie beside them.
install-settings:
	@umask 022; mkdir -p $(DESTDIR)$(SYSCONFDIR)/trax; target=$(SETTINGS); if [ -e "$$target" ]; then target=$$target.new; fi; \
	sed -e 's|^root: \.$$|root: $(ROOT)|' -e 's|^socket: null$$|socket: /run/trax/traxd.sock|' config/trax.yaml > "$$target"; chmod 0644 "$$target"
