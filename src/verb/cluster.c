/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/cluster.h"

#include "core/side.h"

#include <string.h>

enum { MAX_SAYINGS = 64 };

struct work {
	struct evc_command *command;
	const struct evc_offer_options *options;
	struct evc_kinds read;         /* as the streams gave them */
	struct evc_check_side *sides;  /* of each that was read */
	struct evc_cluster_hosts made; /* the first of those that are alike */
	size_t *buckets;               /* hash to index in made + 1, 0 none */
	size_t n_buckets;              /* a power of two, more than there are kinds */
	struct evc_findings sayings;   /* of the offers, each once */
	size_t counts[MAX_SAYINGS];    /* how many hosts said it */
};

static void take_kinds(struct evc_kinds *all, const struct evc_kinds *more, struct evc_arena *arena)
{
	struct evc_kind *items;

	if (!all->n) {
		*all = *more;
		return;
	}
	items = evc_arena_array(arena, all->n + more->n, sizeof(*items));
	if (!items)
		return;
	memcpy(items, all->items, all->n * sizeof(*items));
	if (more->n)
		memcpy(items + all->n, more->items, more->n * sizeof(*items));
	all->items = items;
	all->n += more->n;
	all->n_hosts += more->n_hosts;
}

/* ---- sayings ---- */

static bool same_saying(const struct evc_finding *a, const struct evc_finding *b)
{
	return a->kind == b->kind && a->severity == b->severity && a->feature == b->feature &&
	       !strcmp(a->detail, b->detail);
}

/* What is said of one offer is often said of all: once is enough, with how many more there are. */
static void take_sayings(struct work *work, const struct evc_findings *sayings, size_t n_hosts)
{
	for (size_t i = 0; i < sayings->n; i++) {
		size_t j = 0;

		while (j < work->sayings.n && !same_saying(&work->sayings.items[j], &sayings->items[i]))
			j++;
		if (j == MAX_SAYINGS)
			continue;
		if (j == work->sayings.n)
			evc_findings_add(&work->sayings, sayings->items[i]);
		work->counts[j] += n_hosts;
	}
}

static void tell_sayings(const struct work *work, struct evc_findings *findings)
{
	for (size_t i = 0; i < work->sayings.n; i++) {
		struct evc_finding finding = work->sayings.items[i];

		if (work->counts[i] > 1)
			finding.subject = evc_arena_printf(work->command->arena, "%s and %zu more",
			                                   finding.subject, work->counts[i] - 1);
		evc_findings_add(findings, finding);
	}
}

/* ---- kinds ---- */

static uint64_t hash_of(const struct evc_cpu *cpu)
{
	uint64_t hash = cpu->signature;

	for (int w = 0; w < EVC_SET_WORDS; w++)
		hash = (hash ^ cpu->has.word[w]) * UINT64_C(0x9e3779b97f4a7c15) ^ hash >> 31;
	return hash ^ hash >> 29;
}

static bool alike(const struct evc_check_side *a, const struct evc_check_side *b)
{
	return evc_cpu_same_level(a->cpu, b->cpu) && evc_cpu_same_level(a->silicon, b->silicon) &&
	       a->silicon->signature == b->silicon->signature &&
	       !strcmp(a->silicon->vendor_id, b->silicon->vendor_id);
}

static void put_kind(struct work *work, struct evc_kind *kind, const struct evc_level_kind *level)
{
	work->made.hosts[work->made.n] = kind;
	work->made.kinds[work->made.n++] = *level;
}

static void join_kind(struct evc_kind *into, struct evc_level_kind *level, const struct evc_kind *kind)
{
	into->n_hosts += kind->n_hosts;
	level->n_hosts += kind->n_hosts;
	for (size_t i = 0; i < kind->n_names && into->n_names < EVC_STREAM_NAMES; i++)
		into->names[into->n_names++] = kind->names[i];
}

/* To the kinds, or to the one that it is like. */
static void fold_kind(struct work *work, struct evc_kind *kind, const struct evc_level_kind *level)
{
	size_t at = hash_of(level->cpu) & (work->n_buckets - 1);

	while (work->buckets[at]) {
		size_t i = work->buckets[at] - 1;

		if (alike(work->made.kinds[i].side, level->side)) {
			join_kind(work->made.hosts[i], &work->made.kinds[i], kind);
			return;
		}
		at = (at + 1) & (work->n_buckets - 1);
	}
	put_kind(work, kind, level);
	work->buckets[at] = work->made.n;
}

static int make_kind(struct work *work, size_t i, struct evc_error *err)
{
	struct evc_arena *arena = work->command->arena;
	struct evc_kind *kind = &work->read.items[i];
	struct evc_level_kind level = { .name = kind->host.name, .n_hosts = kind->n_hosts };
	struct evc_findings sayings = { .arena = arena };
	int status;

	if (kind->host.reading == EVC_DAMAGED) {
		char text[512];

		evc_error_format(&kind->host.error, text, sizeof(text));
		level.why = evc_arena_string(arena, text, strlen(text));
		put_kind(work, kind, &level);
		return EVC_OK;
	}
	status = evc_side_make(&kind->host, work->options, arena, &work->sides[i], &sayings, err);
	if (status < 0)
		return status;
	take_sayings(work, &sayings, kind->n_hosts);
	level.side = &work->sides[i];
	level.cpu = level.side->cpu;
	fold_kind(work, kind, &level);
	return EVC_OK;
}

static bool make_room(struct work *work)
{
	struct evc_arena *arena = work->command->arena;

	work->n_buckets = 16;
	while (work->n_buckets < 2 * work->read.n)
		work->n_buckets *= 2;
	work->buckets = evc_arena_array(arena, work->n_buckets, sizeof(*work->buckets));
	work->sides = evc_arena_array(arena, work->read.n, sizeof(*work->sides));
	work->made.hosts = evc_arena_array(arena, work->read.n, sizeof(*work->made.hosts));
	work->made.kinds = evc_arena_array(arena, work->read.n, sizeof(*work->made.kinds));
	return !evc_arena_failed(arena);
}

int evc_cluster_read(struct evc_command *command, const char *const *paths, size_t n_paths,
                     const struct evc_offer_options *options, struct evc_cluster_hosts *ret_cluster,
                     struct evc_findings *findings, struct evc_error *err)
{
	struct work work = { .command = command, .options = options, .sayings = { .arena = command->arena } };
	int status = EVC_OK;

	for (size_t i = 0; i < n_paths && status >= 0; i++) {
		struct evc_kinds kinds = { 0 };

		status = evc_stream_read(paths[i], command->arena, &kinds, err);
		take_kinds(&work.read, &kinds, command->arena);
	}
	if (status < 0)
		return status;
	if (!make_room(&work))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < work.read.n && status >= 0; i++)
		status = make_kind(&work, i, err);
	if (status < 0)
		return status;
	tell_sayings(&work, findings);
	work.made.n_hosts = work.read.n_hosts;
	if (evc_arena_failed(command->arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	*ret_cluster = work.made;
	return EVC_OK;
}
