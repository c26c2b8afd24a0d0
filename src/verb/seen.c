/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/seen.h"

#include "core/side.h"
#include "core/vcpu.h"

#include <string.h>

enum { WIDTH = 96 };

/* Names that some pair gave, by the kernel's enum, so that the printing order stays. */
struct names {
	bool lost_flags[EVC_LINUX_N_FLAGS], gained_flags[EVC_LINUX_N_FLAGS];
	bool lost_bugs[EVC_LINUX_N_BUGS], gained_bugs[EVC_LINUX_N_BUGS];
};

static const char *const nothing[] = { NULL };

int evc_seen_tree(const struct evc_args *args, const struct evc_linux_tree **ret_tree, struct evc_error *err)
{
	return evc_linux_seen_tree(evc_args_value(args, "guest-kernel"), ret_tree, err);
}

static bool goes(struct evc_linux_truth from, struct evc_linux_truth to)
{
	return from.truth == EVC_PRESENT && to.truth == EVC_ABSENT;
}

static void add_pair(struct names *names, const struct evc_linux_view *from, const struct evc_linux_view *to)
{
	for (unsigned i = 0; i < EVC_LINUX_N_FLAGS; i++) {
		struct evc_linux_truth a = evc_linux_view_flag(from, (enum evc_linux_flag)i),
				       b = evc_linux_view_flag(to, (enum evc_linux_flag)i);

		names->lost_flags[i] |= goes(a, b);
		names->gained_flags[i] |= goes(b, a);
	}
	for (unsigned i = 0; i < EVC_LINUX_N_BUGS; i++) {
		struct evc_linux_truth a = evc_linux_view_bug(from, (enum evc_linux_bug)i),
				       b = evc_linux_view_bug(to, (enum evc_linux_bug)i);

		names->lost_bugs[i] |= goes(a, b);
		names->gained_bugs[i] |= goes(b, a);
	}
}

/* The printed ones of those that are marked. */
static const char *const *pick(const struct evc_linux_name *printed, unsigned n, const bool *marked,
                               struct evc_arena *arena)
{
	const char **list = evc_arena_array(arena, n + 1, sizeof(*list));
	size_t count = 0;

	for (unsigned i = 0; list && i < n; i++)
		if (marked[printed[i].symbol])
			list[count++] = printed[i].name;
	return list ? list : (const char **)nothing;
}

static void take_names(const struct evc_linux_tree *tree, const struct names *names, struct evc_arena *arena,
                       struct evc_seen *ret_seen)
{
	*ret_seen = (struct evc_seen){
		.tree = tree,
		.lost_flags = pick(tree->flags, tree->n_flags, names->lost_flags, arena),
		.gained_flags = pick(tree->flags, tree->n_flags, names->gained_flags, arena),
		.lost_bugs = pick(tree->bugs, tree->n_bugs, names->lost_bugs, arena),
		.gained_bugs = pick(tree->bugs, tree->n_bugs, names->gained_bugs, arena),
	};
}

int evc_seen_change(struct evc_command *command, const struct evc_linux_tree *tree,
                    const struct evc_dump *from, const struct evc_dump *to, struct evc_seen *ret_seen,
                    struct evc_error *err)
{
	struct names names = { 0 };
	struct evc_linux_view before, after;

	evc_linux_see(tree, from, &before);
	evc_linux_see(tree, to, &after);
	add_pair(&names, &before, &after);
	take_names(tree, &names, command->arena, ret_seen);
	return evc_arena_failed(command->arena) ? evc_fail(err, EVC_ERR_MEMORY, "out of memory") : EVC_OK;
}

/* The vCPU, and whoever is told by it what the same dump lets see. */
static void tell(const struct evc_linux_tree *tree, const struct evc_dump *dump, const char *name,
                 struct evc_linux_view *ret_view, struct evc_linux_seer *ret_seer)
{
	evc_linux_see(tree, dump, ret_view);
	ret_seer->name = name;
	evc_linux_flaws_told(ret_view, dump, &ret_seer->flaws);
}

/* Guests at the level, made on each host; and the same if they knew their CPU. */
struct pool {
	struct evc_linux_seer *honest, *guests;
	size_t n;
	struct names names;
	struct evc_arena scratch; /* for one host at a time */
};

static int add_host(struct evc_command *command, const struct evc_modes *modes, const struct evc_level *level,
                    const struct evc_level_kind *kind, const struct evc_linux_tree *tree, struct pool *pool,
                    struct evc_error *err)
{
	struct evc_findings told_elsewhere = { .arena = &pool->scratch };
	const struct evc_offer *offer = evc_side_offer(kind->side);
	const char *name = evc_arena_printf(command->arena, "a guest at %s that is made on %s",
	                                    level->mode->key, kind->name);
	struct evc_linux_view plain, seen;
	struct evc_dump guest, honest;
	int status;

	evc_arena_reset(&pool->scratch);
	status = evc_vcpu_make(modes, level->mode, level->version, offer, &level->cpu, &pool->scratch, &guest,
	                       &told_elsewhere, err);
	if (status >= 0)
		status = evc_linux_honest(&guest, offer, &pool->scratch, &honest, err);
	if (status < 0)
		return status;
	tell(tree, &honest, kind->name, &seen, &pool->honest[pool->n]);
	tell(tree, &guest, name, &seen, &pool->guests[pool->n++]);
	evc_linux_see(tree, &offer->dump, &plain);
	add_pair(&pool->names, &plain, &seen);
	return EVC_OK;
}

int evc_seen_level(struct evc_command *command, const struct evc_modes *modes, const struct evc_level *level,
                   const struct evc_cluster_hosts *cluster, struct evc_seen *ret_seen,
                   struct evc_findings *findings, struct evc_error *err)
{
	struct pool pool = {
		.honest = evc_arena_array(command->arena, cluster->n + 1, sizeof(*pool.honest)),
		.guests = evc_arena_array(command->arena, cluster->n + 1, sizeof(*pool.guests)),
	};
	const struct evc_linux_tree *tree = NULL;
	int status = evc_seen_tree(&command->args, &tree, err);

	if (status < 0)
		return status;
	if (!pool.honest || !pool.guests)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; level->mode && i < cluster->n && status >= 0; i++)
		if (cluster->kinds[i].cpu)
			status = add_host(command, modes, level, &cluster->kinds[i], tree, &pool, err);
	evc_arena_free(&pool.scratch);
	if (status < 0)
		return status;
	evc_linux_find_untold(pool.honest, pool.n, pool.guests, pool.n, findings);
	take_names(tree, &pool.names, command->arena, ret_seen);
	return evc_arena_failed(command->arena) ? evc_fail(err, EVC_ERR_MEMORY, "out of memory") : EVC_OK;
}

int evc_seen_check(struct evc_command *command, const struct evc_modes *modes, const struct evc_mode *mode,
                   unsigned version, const struct evc_check_side *guest, const struct evc_check_side *host,
                   struct evc_findings *findings, struct evc_error *err)
{
	struct evc_findings told_elsewhere = { .arena = command->arena };
	const char *name = guest ? guest->name : evc_arena_printf(command->arena, "a guest at %s", mode->key);
	const struct evc_offer *offer;
	const struct evc_linux_tree *tree = NULL;
	struct evc_linux_seer there, here;
	struct evc_linux_view seen;
	struct evc_dump vcpu, honest;
	int status = evc_seen_tree(&command->args, &tree, err);

	if (status < 0 || !host->cpu || (guest && !guest->cpu))
		return status;
	offer = evc_side_offer(host);
	if (guest)
		vcpu = evc_side_offer(guest)->dump;
	else
		status = evc_vcpu_make(modes, mode, version, offer, NULL, command->arena, &vcpu,
		                       &told_elsewhere, err);
	if (status >= 0)
		status = evc_linux_honest(&vcpu, offer, command->arena, &honest, err);
	if (status < 0)
		return status;
	tell(tree, &honest, host->name, &seen, &there);
	tell(tree, &vcpu, name, &seen, &here);
	evc_linux_find_untold(&there, 1, &here, 1, findings);
	return EVC_OK;
}

static void put_list(const char *lead, const char *const *list, struct evc_sink *out)
{
	size_t column = strlen(lead);

	if (!list[0])
		return;
	evc_sink_puts(out, lead);
	for (size_t i = 0; list[i]; i++) {
		size_t length = strlen(list[i]) + 1;

		if (column + length > WIDTH) {
			evc_sink_puts(out, "\n     ");
			column = 5;
		}
		evc_sink_printf(out, " %s", list[i]);
		column += length;
	}
	evc_sink_puts(out, "\n");
}

void evc_seen_print(const struct evc_seen *seen, const char *heading, struct evc_sink *out)
{
	if (!seen->lost_flags[0] && !seen->gained_flags[0] && !seen->lost_bugs[0] && !seen->gained_bugs[0])
		return;
	evc_sink_printf(out, "%s (Linux %s)\n", heading, seen->tree->name);
	put_list("  flags lost:", seen->lost_flags, out);
	put_list("  flags gained:", seen->gained_flags, out);
	put_list("  bugs no longer told:", seen->lost_bugs, out);
	put_list("  bugs told besides:", seen->gained_bugs, out);
}

static json_t *list_json(const char *const *list)
{
	json_t *array = json_array();

	for (size_t i = 0; list[i]; i++)
		json_array_append_new(array, json_string(list[i]));
	return array;
}

json_t *evc_seen_json(const struct evc_seen *seen)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "kernel", seen->tree->name, "lost_flags",
	                 list_json(seen->lost_flags), "gained_flags", list_json(seen->gained_flags),
	                 "lost_bugs", list_json(seen->lost_bugs), "gained_bugs",
	                 list_json(seen->gained_bugs));
}
