/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMware's keys of a mode.  One of our features may be several of theirs (spec-ctrl is IBRS and
 * IBPB); which ones is data/names.txt's to say.  They compare keys without regard to case and show
 * features in capitals.
 */
#include "text/mode-keys.h"

#include <stdlib.h>
#include <string.h>

struct keys {
	struct evc_arena *arena;
	struct evc_mode_key *items;
	size_t n, size;
};

static void add(struct keys *keys, struct evc_mode_key key)
{
	if (!keys->items)
		return;
	if (keys->n == keys->size) {
		size_t size = 2 * keys->size;
		struct evc_mode_key *items = evc_arena_array(keys->arena, size, sizeof(*items));

		if (!items)
			return;
		memcpy(items, keys->items, keys->n * sizeof(*items));
		keys->items = items;
		keys->size = size;
	}
	keys->items[keys->n++] = key;
}

/* As vCenter writes numbers: small ones decimal. */
static void add_number(struct keys *keys, const char *name, const struct evc_mode_number *number)
{
	const char *value = number->value < 10 ? evc_arena_printf(keys->arena, "Val:%u", number->value)
	                                       : evc_arena_printf(keys->arena, "Val:0x%x", number->value);

	add(keys, (struct evc_mode_key){ .key = name,
	                                 .value = value,
	                                 .claim = { number->provenance, number->source },
	                                 .feature = EVC_N_FEATURES,
	                                 .version = 1 });
}

static const char *capitals(struct evc_arena *arena, const char *name)
{
	char *key = evc_arena_printf(arena, "cpuid.%s", name);

	for (char *c = key ? key + 6 : NULL; c && *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return key;
}

unsigned evc_mode_joined(const struct evc_mode *mode, enum evc_feature_id id)
{
	for (size_t v = 0; v < mode->n_versions; v++)
		if (evc_set_has(&mode->versions[v].features, id))
			return mode->versions[v].number;
	return 0;
}

/* Every key that VMware has for the feature; false when none. */
static bool add_feature(struct keys *keys, const struct evc_mode *mode, enum evc_feature_id id)
{
	const struct evc_mode *by;
	const struct evc_claim *claim = evc_mode_claim(mode, id, &by);
	bool found = false;

	for (size_t i = 0; i < evc_n_foreign_names; i++) {
		const struct evc_foreign_name *name = &evc_foreign_names[i];

		if (name->feature != id || strcmp(name->space, "vmware") != 0)
			continue;
		found = true;
		add(keys, (struct evc_mode_key){
				  .key = strchr(name->name, '.') && strncmp(name->name, "cpuid.", 6) != 0
		                                 ? name->name
		                                 : capitals(keys->arena, !strncmp(name->name, "cpuid.", 6)
		                                                                 ? name->name + 6
		                                                                 : name->name),
				  .value = "Val:1",
				  .claim = claim ? *claim : (struct evc_claim){ .source = "" },
				  .feature = id,
				  .version = evc_mode_joined(mode, id) });
	}
	return found;
}

static void add_host_keys(struct keys *keys, const struct evc_mode *mode)
{
	struct evc_span rest = evc_span_from(mode->host_keys), word;

	while (evc_span_word(&rest, &word))
		add(keys, (struct evc_mode_key){
				  .key = evc_arena_printf(keys->arena, "%s%.*s",
		                                          memchr(word.text, '.', word.length) ? "" : "cpuid.",
		                                          (int)word.length, word.text),
				  .value = "Val:1",
				  .claim = mode->host_keys_claim,
				  .feature = EVC_N_FEATURES,
				  .version = 1 });
}

static int by_key(const void *a, const void *b)
{
	return strcasecmp(((const struct evc_mode_key *)a)->key, ((const struct evc_mode_key *)b)->key);
}

const struct evc_mode_key *evc_mode_keys(const struct evc_mode *mode, unsigned version,
                                         struct evc_arena *arena, size_t *ret_n, struct evc_set *ret_keyless)
{
	const struct evc_set *features = &evc_mode_version(mode, version)->features;
	struct keys keys = { .arena = arena,
		             .items = evc_arena_array(arena, 128, sizeof(*keys.items)),
		             .size = 128 };
	struct evc_set keyless = { { 0 } };
	size_t first;

	if (!mode->keeps_signature) {
		add_number(&keys, "cpuid.FAMILY", &mode->family);
		add_number(&keys, "cpuid.MODEL", &mode->model);
		add_number(&keys, "cpuid.STEPPING", &mode->stepping);
		add_number(&keys, "cpuid.NUMLEVELS", &mode->max_basic);
		add_number(&keys, "cpuid.NUM_EXT_LEVELS", &mode->max_extended);
	}
	if (mode->vendors != EVC_VENDOR_ANY)
		add(&keys, (struct evc_mode_key){ .key = mode->vendors == EVC_VENDOR_INTEL ? "cpuid.Intel"
		                                                                           : "cpuid.AMD",
		                                  .value = "Val:1",
		                                  .claim = mode->label_claim,
		                                  .feature = EVC_N_FEATURES,
		                                  .version = 1 });
	first = keys.n;
	EVC_SET_FOREACH(id, features)
	{
		if (!add_feature(&keys, mode, id))
			evc_set_add(&keyless, id);
	}
	add_host_keys(&keys, mode);
	if (evc_arena_failed(arena))
		return NULL;
	if (keys.n > first)
		qsort(keys.items + first, keys.n - first, sizeof(*keys.items), by_key);
	*ret_n = keys.n;
	*ret_keyless = keyless;
	return keys.items;
}
