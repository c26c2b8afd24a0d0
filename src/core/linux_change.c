/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why two predictions differ.
 *
 * Both sides are traces of the same kernel, so they ask the same questions where they come to them at
 * all.  A cause is a question (a leaf of a condition: a bit, an MSR, a row of a list, another flag)
 * that a step of the word asks on both sides, that is answered differently, and that turned each
 * condition it is part of: no "rdseed" is no cause where "rdrand or rdseed" still holds.  Only where there is
 * none, because one side's rules did not come so far, a question counts that one side alone asked.
 *
 * When a flag went because another one went, the causes of the other one are its own, and it is named
 * as what lies between.
 */
#include "core/linux_change.h"

#include <string.h>

/* A leaf met while walking the steps of a word. */
struct leaf {
	uint16_t node;
	const char *where;
};

enum { MAX_LEAVES = 256, MAX_DEPTH = 8 };

struct leaves {
	struct leaf items[MAX_LEAVES];
	size_t n;
};

static void gather(const struct evc_linux_trace *trace, uint16_t number, const char *where,
                   struct leaves *leaves)
{
	const struct evc_linux_node *node = &trace->nodes[number];

	switch (node->reason) {
	case EVC_LINUX_REASON_AND:
	case EVC_LINUX_REASON_OR:
		gather(trace, node->a, where, leaves);
		gather(trace, node->b, where, leaves);
		return;
	case EVC_LINUX_REASON_NOT:
		gather(trace, node->a, where, leaves);
		return;
	case EVC_LINUX_NO_REASON:
	case EVC_LINUX_REASON_BIT:
	case EVC_LINUX_REASON_FLAG:
	case EVC_LINUX_REASON_BUG:
	case EVC_LINUX_REASON_ROW:
	case EVC_LINUX_REASON_READABLE:
	case EVC_LINUX_REASON_PLATFORM:
	case EVC_LINUX_REASON_OPTION:
	case EVC_LINUX_REASON_SWITCH:
	case EVC_LINUX_REASON_CPU:
	case EVC_LINUX_REASON_NUMBER:
	case EVC_LINUX_REASON_TEXT:
		break;
	}
	if (leaves->n < MAX_LEAVES)
		leaves->items[leaves->n++] = (struct leaf){ .node = number, .where = where };
}

static void gather_all(const struct evc_linux_trace *trace, const struct evc_linux_change *change,
                       struct leaves *leaves)
{
	leaves->n = 0;
	for (uint16_t i = 0; i < trace->n_steps; i++) {
		const struct evc_linux_step *step = &trace->steps[i];

		if (step->target == change->target && step->id == change->id)
			gather(trace, step->node, step->where, leaves);
	}
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Is it the same question? */
static bool asks_same(const struct evc_linux_node *a, const struct evc_linux_node *b)
{
	if (a->reason != b->reason)
		return false;
	switch (a->reason) {
	case EVC_LINUX_REASON_BIT:
		return a->bit.leaf == b->bit.leaf && a->bit.subleaf == b->bit.subleaf &&
		       a->bit.reg == b->bit.reg && a->bit.lo == b->bit.lo && a->bit.hi == b->bit.hi;
	case EVC_LINUX_REASON_READABLE:
		return a->number == b->number;
	case EVC_LINUX_REASON_FLAG:
	case EVC_LINUX_REASON_BUG:
	case EVC_LINUX_REASON_ROW:
	case EVC_LINUX_REASON_PLATFORM:
	case EVC_LINUX_REASON_SWITCH:
		return a->id == b->id;
	case EVC_LINUX_REASON_CPU:
		return evc_linux_cpus_equal(&a->cpus, &b->cpus);
	case EVC_LINUX_REASON_NUMBER:
		return a->limit == b->limit && same_text(a->text, b->text);
	case EVC_LINUX_REASON_OPTION:
	case EVC_LINUX_REASON_TEXT:
		return same_text(a->text, b->text);
	case EVC_LINUX_NO_REASON:
	case EVC_LINUX_REASON_NOT:
	case EVC_LINUX_REASON_AND:
	case EVC_LINUX_REASON_OR:
		break;
	}
	return true;
}

/* Of a word only yes and no count, of a line's value the number itself. */
static bool answers_same(const struct evc_linux_node *a, const struct evc_linux_node *b, bool numbers)
{
	bool counts = numbers && (a->reason == EVC_LINUX_REASON_BIT || a->reason == EVC_LINUX_REASON_NUMBER);

	return a->truth == b->truth && (!counts || a->number == b->number);
}

/* Both sides of a comparison. */
struct sides {
	const struct evc_linux_trace *before, *after;
};

static bool is_same(const struct sides *sides, const struct evc_linux_cause *a,
                    const struct evc_linux_cause *b)
{
	if (!a->before != !b->before || !a->after != !b->after)
		return false;
	return (!a->before ||
	        asks_same(&sides->before->nodes[a->before], &sides->before->nodes[b->before])) &&
	       (!a->after || asks_same(&sides->after->nodes[a->after], &sides->after->nodes[b->after]));
}

/* Once each: the kernel identifies the boot CPU twice. */
static void add(const struct sides *sides, struct evc_linux_change *change, struct evc_linux_cause cause)
{
	for (unsigned i = 0; i < change->n_causes; i++)
		if (is_same(sides, &change->causes[i], &cause))
			return;
	if (change->n_causes < EVC_LINUX_MAX_CAUSES)
		change->causes[change->n_causes++] = cause;
}

static bool is_combination(const struct evc_linux_node *node)
{
	return node->reason == EVC_LINUX_REASON_AND || node->reason == EVC_LINUX_REASON_OR ||
	       node->reason == EVC_LINUX_REASON_NOT;
}

/* A condition of both sides: down to what was answered differently, past what made no difference. */
static void descend(const struct sides *sides, uint16_t a, uint16_t b, const char *where,
                    struct evc_linux_change *change)
{
	const struct evc_linux_node *x = &sides->before->nodes[a], *y = &sides->after->nodes[b];
	bool numbers = change->target == EVC_LINUX_TARGET_LINE;

	if (!asks_same(x, y) || answers_same(x, y, numbers)) {
		if (!numbers || !is_combination(x) || x->reason != y->reason)
			return;
	}
	if (!is_combination(x)) {
		add(sides, change, (struct evc_linux_cause){ .before = a, .after = b, .where = where });
		return;
	}
	descend(sides, x->a, y->a, where, change);
	if (x->reason != EVC_LINUX_REASON_NOT)
		descend(sides, x->b, y->b, where, change);
}

static bool is_step(const struct evc_linux_trace *trace, uint16_t number,
                    const struct evc_linux_change *change)
{
	return trace->steps[number].target == change->target && trace->steps[number].id == change->id;
}

/* Steps of the same function with the same effect, in turn. */
static void find_common(const struct sides *sides, struct evc_linux_change *change)
{
	const struct evc_linux_trace *before = sides->before, *after = sides->after;
	uint16_t k = 0;

	for (uint16_t i = 0; i < before->n_steps; i++) {
		const struct evc_linux_step *step = &before->steps[i];
		uint16_t at = k;

		if (!is_step(before, i, change))
			continue;
		while (at < after->n_steps &&
		       (!is_step(after, at, change) || after->steps[at].effect != step->effect ||
		        strcmp(after->steps[at].where, step->where) != 0))
			at++;
		if (at == after->n_steps)
			continue;
		descend(sides, step->node, after->steps[at].node, step->where, change);
		k = (uint16_t)(at + 1);
	}
}

/* Questions of one side that hold there and that the other side did not ask. */
static void find_lonely(const struct sides *sides, const struct leaves *leaves, const struct leaves *others,
                        bool is_after, struct evc_linux_change *change)
{
	const struct evc_linux_trace *trace = is_after ? sides->after : sides->before;
	const struct evc_linux_trace *other = is_after ? sides->before : sides->after;

	for (size_t i = 0; i < leaves->n; i++) {
		uint16_t number = leaves->items[i].node;
		const struct evc_linux_node *node = &trace->nodes[number];
		size_t k = 0;

		while (k < others->n && !asks_same(node, &other->nodes[others->items[k].node]))
			k++;
		if (k < others->n || node->truth == EVC_ABSENT)
			continue;
		add(sides, change,
		    (struct evc_linux_cause){ .before = is_after ? 0 : number,
		                              .after = is_after ? number : 0,
		                              .where = leaves->items[i].where });
	}
}

static void find(const struct evc_linux_told *before, const struct evc_linux_told *after,
                 struct evc_linux_change *change)
{
	struct sides sides = { .before = before->trace, .after = after->trace };
	struct leaves a, b;

	find_common(&sides, change);
	if (change->n_causes)
		return;
	gather_all(before->trace, change, &a);
	gather_all(after->trace, change, &b);
	find_lonely(&sides, &a, &b, false, change);
	find_lonely(&sides, &b, &a, true, change);
}

/* The causes of the first other flag or bug among the causes in place of it; false when there is none left.
 */
static bool resolve(const struct evc_linux_told *before, const struct evc_linux_told *after,
                    struct evc_linux_change *change)
{
	struct sides sides = { .before = before->trace, .after = after->trace };

	for (unsigned i = 0; i < change->n_causes; i++) {
		struct evc_linux_cause cause = change->causes[i];
		const struct evc_linux_node *node = &before->trace->nodes[cause.before];
		struct evc_linux_change other = { .id = node->id };

		if (!cause.before || !cause.after || cause.through ||
		    (node->reason != EVC_LINUX_REASON_FLAG && node->reason != EVC_LINUX_REASON_BUG))
			continue;
		other.target =
			node->reason == EVC_LINUX_REASON_FLAG ? EVC_LINUX_TARGET_FLAG : EVC_LINUX_TARGET_BUG;
		find(before, after, &other);
		change->causes[i].through = cause.before;
		for (unsigned k = 0; k < other.n_causes; k++) {
			other.causes[k].through = cause.before;
			if (!k)
				change->causes[i] = other.causes[k];
			else
				add(&sides, change, other.causes[k]);
		}
		return true;
	}
	return false;
}

void evc_linux_find_causes(const struct evc_linux_told *before, const struct evc_linux_told *after,
                           struct evc_linux_change *change)
{
	change->n_causes = 0;
	if (!before->trace || !after->trace)
		return;
	find(before, after, change);
	for (int depth = 0; depth < MAX_DEPTH && resolve(before, after, change); depth++)
		;
}

static struct evc_linux_change *append(struct evc_linux_changes *changes,
                                       const struct evc_linux_change *change)
{
	changes->items[changes->n] = *change;
	return &changes->items[changes->n++];
}

static bool same_truth(struct evc_linux_truth a, struct evc_linux_truth b)
{
	return a.truth == b.truth;
}

static bool same_value(const struct evc_linux_view *before, const struct evc_linux_view *after,
                       enum evc_linux_line line)
{
	const struct evc_linux_value *a = &before->lines[line], *b = &after->lines[line];

	if (a->shown.truth != b->shown.truth)
		return false;
	if (a->shown.truth == EVC_ABSENT || line == EVC_LINUX_FLAGS || line == EVC_LINUX_BUGS ||
	    line == EVC_LINUX_VMX_FLAGS)
		return true;
	if (a->known.truth != b->known.truth)
		return false;
	if (line == EVC_LINUX_VENDOR_ID)
		return !strcmp(before->vendor_id, after->vendor_id);
	if (line == EVC_LINUX_MODEL_NAME)
		return !strcmp(before->model_name, after->model_name);
	return a->known.truth != EVC_PRESENT || (a->number == b->number && a->second == b->second);
}

static void compare_lines(const struct evc_linux_told *before, const struct evc_linux_told *after,
                          struct evc_linux_changes *changes)
{
	for (unsigned i = 0; i < EVC_LINUX_N_LINES; i++) {
		struct evc_linux_change change = { .target = EVC_LINUX_TARGET_LINE,
			                           .id = (uint16_t)i,
			                           .before = before->view->lines[i].shown,
			                           .after = after->view->lines[i].shown };

		if (!same_value(before->view, after->view, (enum evc_linux_line)i))
			evc_linux_find_causes(before, after, append(changes, &change));
	}
}

static void compare_words(const struct evc_linux_told *before, const struct evc_linux_told *after, bool bugs,
                          struct evc_linux_changes *changes)
{
	struct evc_linux_words words =
		evc_linux_tree_words(before->view->tree, bugs ? EVC_LINUX_BUGS : EVC_LINUX_FLAGS);

	for (size_t i = 0; i < words.n; i++) {
		struct evc_linux_change change = {
			.id = words.names[i].symbol,
			.target = bugs ? EVC_LINUX_TARGET_BUG : EVC_LINUX_TARGET_FLAG,
			.before = evc_linux_view_word(before->view, &words, i),
			.after = evc_linux_view_word(after->view, &words, i),
		};

		if (!same_truth(change.before, change.after))
			evc_linux_find_causes(before, after, append(changes, &change));
	}
}

int evc_linux_compare(const struct evc_linux_told *before, const struct evc_linux_told *after,
                      struct evc_arena *arena, struct evc_linux_changes *ret_changes, struct evc_error *err)
{
	const struct evc_linux_tree *tree = before->view->tree;
	struct evc_linux_changes changes = {
		.items = evc_arena_array(arena, (size_t)EVC_LINUX_N_LINES + tree->n_flags + tree->n_bugs,
		                         sizeof(*changes.items))
	};

	if (!changes.items)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	compare_lines(before, after, &changes);
	compare_words(before, after, false, &changes);
	compare_words(before, after, true, &changes);
	*ret_changes = changes;
	return EVC_OK;
}
