/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/qemu-args.h"

#include "base/span.h"

#include <string.h>

const char *evc_qemu_args_next(const char *const *words, size_t n, const char *option, size_t *at)
{
	for (size_t i = *at; i < n; i++) {
		const char *word = words[i];

		if (!word || word[0] != '-')
			continue;
		word += word[1] == '-' ? 2 : 1;
		if (strcmp(word, option) != 0)
			continue;
		*at = i + 2;
		return i + 1 < n ? words[i + 1] : "";
	}
	return NULL;
}

/* The option of a word, without its dashes; NULL: it is none. */
static const char *option_of(const char *word)
{
	if (!word || word[0] != '-' || !word[1])
		return NULL;
	return word + (word[1] == '-' ? 2 : 1);
}

/* Options of QEMU (7.2 to 11.1) that take no value. */
static bool is_alone(const char *option)
{
	static const char *const names[] = {
		"S",          "async-teardown",      "daemonize",      "enable-fips",
		"enable-kvm", "enable-sync-profile", "full-screen",    "mem-prealloc",
		"no-acpi",    "no-fd-bootchk",       "no-hpet",        "no-quit",
		"no-reboot",  "no-shutdown",         "no-user-config", "nodefaults",
		"nographic",  "only-migratable",     "portrait",       "preconfig",
		"s",          "semihosting",         "singlestep",     "snapshot",
		"usb",        "win2k-hack"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], option))
			return true;
	return false;
}

static bool is_named(const char *option, const char *const *names)
{
	for (; names && *names; names++)
		if (!strcmp(*names, option))
			return true;
	return false;
}

/* Is there an option of this name? */
static bool has_option(const char *const *words, size_t n, const char *option)
{
	for (size_t i = 0; i < n; i++) {
		const char *other = option_of(words[i]);

		if (!other)
			continue;
		if (!strcmp(other, option))
			return true;
		i += !is_alone(other);
	}
	return false;
}

const char **evc_qemu_args_change(const char *const *words, size_t n, const char *const *drop,
                                  const char *const *more, size_t n_more, struct evc_arena *arena,
                                  size_t *ret_n)
{
	const char **result = evc_arena_array(arena, n + n_more + 1, sizeof(*result));
	size_t n_result = 0;

	for (size_t i = 0; result && i < n; i++) {
		const char *option = option_of(words[i]);
		bool value = option && !is_alone(option) && i + 1 < n;

		if (!option || (!is_named(option, drop) && !has_option(more, n_more, option))) {
			result[n_result++] = words[i];
			if (value)
				result[n_result++] = words[i + 1];
		}
		i += value;
	}
	for (size_t i = 0; result && i < n_more; i++)
		result[n_result++] = more[i];
	*ret_n = n_result;
	return result;
}

/* The part up to the next comma that stands alone, with ",," as one; *from is behind it, NULL at the end. */
static char *take_part(struct evc_arena *arena, const char **from)
{
	char *part = evc_arena_string(arena, *from, strlen(*from)), *to = part;
	const char *c = *from;

	if (!part)
		return NULL;
	for (; *c; c++) {
		if (*c == ',' && c[1] != ',')
			break;
		c += *c == ',';
		*to++ = *c;
	}
	*to = '\0';
	*from = *c ? c + 1 : NULL;
	return part;
}

const char *evc_qemu_args_key(struct evc_arena *arena, const char *value, const char *key,
                              const char *implied)
{
	const char *result = NULL;

	for (bool first = true; value; first = false) {
		char *part = take_part(arena, &value), *equals;

		if (!part)
			return NULL;
		equals = strchr(part, '=');
		if (equals)
			*equals = '\0';
		else if (first && implied && !strcmp(implied, key))
			result = part;
		if (!strcmp(part, key) && (equals || !first || !implied))
			result = equals ? equals + 1 : "on";
	}
	return result;
}

/* Of the forms that -qmp takes: unix:PATH,... tcp:HOST:PORT,... */
static const char *legacy_address(struct evc_arena *arena, const char *value)
{
	if (strncmp(value, "unix:", 5) != 0 && strncmp(value, "tcp:", 4) != 0)
		return NULL;
	return take_part(arena, &value);
}

/* The address of the character device of this id. */
static const char *chardev_address(const char *const *words, size_t n, struct evc_arena *arena,
                                   const char *id)
{
	const char *value;
	size_t at = 0;

	while ((value = evc_qemu_args_next(words, n, "chardev", &at))) {
		const char *name = evc_qemu_args_key(arena, value, "id", "backend"),
			   *path = evc_qemu_args_key(arena, value, "path", "backend"),
			   *host = evc_qemu_args_key(arena, value, "host", "backend"),
			   *port = evc_qemu_args_key(arena, value, "port", "backend");

		if (!name || strcmp(name, id) != 0)
			continue;
		if (path && !strncmp(value, "socket", 6))
			return evc_arena_printf(arena, "unix:%s", path);
		if (port && !strncmp(value, "socket", 6))
			return evc_arena_printf(arena, "tcp:%s:%s", host && *host ? host : "127.0.0.1", port);
	}
	return NULL;
}

static void add(const char *address, const char **addresses, size_t *n)
{
	if (address && *n < EVC_QEMU_MAX_QMP)
		addresses[(*n)++] = address;
}

size_t evc_qemu_args_qmp(const char *const *words, size_t n, struct evc_arena *arena,
                         const char *ret_addresses[static EVC_QEMU_MAX_QMP])
{
	static const char *const options[] = { "qmp", "qmp-pretty" };
	const char *value;
	size_t n_found = 0;

	for (size_t i = 0; i < 2; i++) {
		size_t at = 0;

		while ((value = evc_qemu_args_next(words, n, options[i], &at)))
			if (!strncmp(value, "chardev:", 8))
				add(chardev_address(words, n, arena, value + 8), ret_addresses, &n_found);
			else
				add(legacy_address(arena, value), ret_addresses, &n_found);
	}
	for (size_t at = 0; (value = evc_qemu_args_next(words, n, "mon", &at));) {
		const char *id = evc_qemu_args_key(arena, value, "chardev", "chardev"),
			   *mode = evc_qemu_args_key(arena, value, "mode", "chardev");

		if (id && mode && !strcmp(mode, "control"))
			add(chardev_address(words, n, arena, id), ret_addresses, &n_found);
	}
	return n_found;
}
