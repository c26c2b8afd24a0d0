# SPDX-License-Identifier: LGPL-2.1-or-later
# A thin front for Meson.  On a bare Debian or Ubuntu "make demo" and "make check" install what they
# need (tools/deps says what and why); the other targets take the machine as it is.

BUILD = build

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

demo:
	tools/deps build demo
	$(MAKE) all
	demo/run $(BUILD)

check:
	tools/deps build check live lab
	tools/check

lab-demo:
	tools/deps build lab
	$(MAKE) all
	lab/demo $(BUILD)

bench:
	tools/deps build bench
	bench/run

install: all
	meson install -C $(BUILD)

uninstall:
	ninja -C $(BUILD) uninstall

clean:
	rm -rf $(BUILD) $(BUILD)-*

.PHONY: all demo lab-demo check bench install uninstall clean
