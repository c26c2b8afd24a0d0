/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/facts.h"

#include "base/sink.h"
#include "base/span.h"
#include "host/qemu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
	MAX_SMALL = 8192, /* bytes of a small file that are looked at */
};

static void note(struct evc_findings *findings, const char *host, const char *detail)
{
	evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_NOTE,
	                                                 .severity = EVC_NOTE,
	                                                 .feature = EVC_N_FEATURES,
	                                                 .subject = host,
	                                                 .detail = detail });
}

/* The start of a file, terminated; NULL when it cannot be read. */
static char *small_file(struct evc_arena *arena, const char *path)
{
	char *text = evc_arena_alloc(arena, MAX_SMALL + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return NULL;
	if (text)
		n = read(fd, text, MAX_SMALL);
	close(fd);
	return n < 0 ? NULL : text;
}

const char *evc_facts_line(struct evc_arena *arena, const char *path)
{
	char *text = small_file(arena, path);

	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

/* The value after "key" and a colon of the first such line of /proc/cpuinfo. */
static const char *cpuinfo_value(struct evc_arena *arena, const char *key)
{
	char *text = small_file(arena, "/proc/cpuinfo");
	struct evc_span rest, line;

	if (!text)
		return NULL;
	rest = evc_span_from(text);
	while (evc_span_line(&rest, &line)) {
		if (!evc_span_skip(&line, key))
			continue;
		line = evc_span_trim(line);
		if (!evc_span_skip(&line, ":"))
			continue;
		line = evc_span_trim(line);
		return evc_arena_string(arena, line.text, line.length);
	}
	return NULL;
}

static uint32_t read_microcode(struct evc_arena *arena)
{
	const char *text = evc_facts_line(arena, "/sys/devices/system/cpu/cpu0/microcode/version");
	uint64_t value;

	if (!text)
		text = cpuinfo_value(arena, "microcode");
	if (!text || !evc_span_number(evc_span_trim(evc_span_from(text)), UINT32_MAX, &value))
		return 0;
	return (uint32_t)value;
}

static const char *read_firmware(struct evc_arena *arena)
{
	static const char *const files[] = { "bios_vendor", "bios_version", "bios_date" };
	struct evc_sink text = { 0 };
	const char *result = "";

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = evc_arena_printf(arena, "/sys/class/dmi/id/%s", files[i]);
		const char *line = path ? evc_facts_line(arena, path) : NULL;

		if (line && *line)
			evc_sink_printf(&text, "%s%s", text.length ? " " : "", line);
	}
	if (text.length)
		result = evc_arena_string(arena, text.text, text.length);
	evc_sink_free(&text);
	return result;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* "name=value" of every readable parameter of a module, in the order of their names. */
static void add_parameters(struct evc_arena *arena, const char *module, struct evc_sink *text)
{
	char *directory = evc_arena_printf(arena, "/sys/module/%s/parameters", module);
	struct dirent **entries;
	int n = directory ? scandir(directory, &entries, visible, alphasort) : -1;

	if (n < 0)
		return;
	for (int i = 0; i < n; i++) {
		char *path = evc_arena_printf(arena, "%s/%s", directory, entries[i]->d_name);
		const char *value = path ? evc_facts_line(arena, path) : NULL;

		if (value)
			evc_sink_printf(text, "%s%s=%s", text->length ? " " : "", entries[i]->d_name, value);
		free(entries[i]);
	}
	free(entries);
}

static bool has_module(const char *name, struct evc_arena *arena)
{
	char *path = evc_arena_printf(arena, "/sys/module/%s", name);

	return path && !access(path, F_OK);
}

static int is_kvm_part(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "kvm_", 4);
}

/* kvm_intel or kvm_amd, else whatever else drives kvm here, "" for none. */
static const char *find_module(struct evc_arena *arena)
{
	struct dirent **entries;
	const char *found = "";
	int n;

	if (has_module("kvm_intel", arena))
		return "kvm_intel";
	if (has_module("kvm_amd", arena))
		return "kvm_amd";
	n = scandir("/sys/module", &entries, is_kvm_part, alphasort);
	for (int i = 0; i < n; i++) {
		if (!i)
			found = evc_arena_string(arena, entries[i]->d_name, strlen(entries[i]->d_name));
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return found ? found : "";
}

static const char *read_options(struct evc_arena *arena, const char *module)
{
	struct evc_sink text = { 0 };
	const char *result = "";

	if (*module)
		add_parameters(arena, module, &text);
	add_parameters(arena, "kvm", &text);
	if (text.length)
		result = evc_arena_string(arena, text.text, text.length);
	evc_sink_free(&text);
	return result;
}

/* QEMU's version; "" and a note when there is none or it does not answer. */
static const char *read_qemu(const char *host, struct evc_arena *arena, struct evc_findings *findings)
{
	struct evc_qemu_program program;
	struct evc_error error = { 0 };
	int status = evc_qemu_program(NULL, NULL, arena, &program, &error);

	if (status == EVC_OK)
		return program.version;
	note(findings, host,
	     status == EVC_ERR_UNSUPPORTED
	             ? "no QEMU is installed"
	             : evc_arena_printf(arena, "QEMU's version is not known: %s", error.text));
	return "";
}

void evc_facts_read(const char *host, bool programs, struct evc_facts *ret_facts,
                    struct evc_findings *findings)
{
	struct evc_arena *arena = findings->arena;
	struct evc_facts facts = {
		.kernel = "", .qemu = "", .firmware = "", .kvm_module = "", .kvm_options = ""
	};
	struct utsname names;

	if (!uname(&names))
		facts.kernel = evc_arena_string(arena, names.release, strlen(names.release));
	facts.firmware = read_firmware(arena);
	if (!*facts.firmware)
		note(findings, host, "the firmware does not say its name (no DMI)");
	facts.microcode = read_microcode(arena);
	if (!facts.microcode)
		note(findings, host, "the microcode's revision is not known");
	facts.kvm_module = find_module(arena);
	facts.kvm_options = read_options(arena, facts.kvm_module);
	if (programs)
		facts.qemu = read_qemu(host, arena, findings);
	*ret_facts = facts;
}
