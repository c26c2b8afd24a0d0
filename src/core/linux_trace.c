/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The trace of a prediction: conditions as nodes, which point at the nodes that they are made of, and the
 * kernel's steps, each with the node that decided it.  A step says what it does if its condition holds, so
 * that the printed word can be computed again from the trace alone, which is what makes it an explanation.
 */
#include "core/linux-private.h"

#include <stdio.h>
#include <string.h>

enum {
	FIRST_SIZE = 1024,
	MAX_ITEMS = 32768, /* of each kind; no prediction needs a quarter of it */
};

struct evc_linux_trace *evc_linux_trace_new(struct evc_arena *arena)
{
	struct evc_linux_trace *trace = evc_arena_alloc(arena, sizeof(*trace));

	if (!trace)
		return NULL;
	trace->arena = arena;
	trace->nodes = evc_arena_array(arena, FIRST_SIZE, sizeof(*trace->nodes));
	trace->steps = evc_arena_array(arena, FIRST_SIZE, sizeof(*trace->steps));
	if (!trace->nodes || !trace->steps)
		return NULL;
	trace->size_nodes = trace->size_steps = FIRST_SIZE;
	trace->nodes[0].truth = EVC_PRESENT;
	trace->n_nodes = 1;
	return trace;
}

/* Twice the room; NULL when there may be no more. */
static void *grown(struct evc_linux_trace *trace, const void *items, uint16_t *size, size_t item)
{
	void *bigger = *size < MAX_ITEMS ? evc_arena_array(trace->arena, *size * 2U, item) : NULL;

	if (!bigger) {
		trace->full = true;
		return NULL;
	}
	memcpy(bigger, items, *size * item);
	*size *= 2;
	return bigger;
}

uint16_t evc_linux_trace_node(struct evc_linux_trace *trace, const struct evc_linux_node *node)
{
	if (trace->n_nodes == trace->size_nodes) {
		void *bigger = grown(trace, trace->nodes, &trace->size_nodes, sizeof(*trace->nodes));

		if (!bigger)
			return 0;
		trace->nodes = bigger;
	}
	trace->nodes[trace->n_nodes] = *node;
	return trace->n_nodes++;
}

void evc_linux_trace_step(struct evc_linux_trace *trace, const struct evc_linux_step *step)
{
	if (trace->n_steps == trace->size_steps) {
		void *bigger = grown(trace, trace->steps, &trace->size_steps, sizeof(*trace->steps));

		if (!bigger)
			return;
		trace->steps = bigger;
	}
	trace->steps[trace->n_steps++] = *step;
}

void evc_linux_line_begin(struct evc_linux_work *work, enum evc_linux_line line, const char *where)
{
	work->line = line;
	work->where = work->trace ? where : NULL;
}

void evc_linux_line_end(struct evc_linux_work *work)
{
	work->where = NULL;
}

static void put_cause(struct evc_linux_work *work, const struct evc_linux_node *node)
{
	struct evc_linux_step step = { .target = EVC_LINUX_TARGET_LINE,
		                       .id = (uint16_t)work->line,
		                       .effect = EVC_LINUX_BECOMES,
		                       .where = work->where };

	if (!work->where)
		return;
	step.node = evc_linux_trace_node(work->trace, node);
	evc_linux_trace_step(work->trace, &step);
}

void evc_linux_cause_text(struct evc_linux_work *work, const char *text)
{
	put_cause(work, &(struct evc_linux_node){
				.reason = EVC_LINUX_REASON_TEXT, .text = text, .truth = EVC_PRESENT });
}

void evc_linux_cause_bits(struct evc_linux_work *work, struct evc_bit bit, uint64_t value, bool known)
{
	struct evc_linux_node node = { .reason = EVC_LINUX_REASON_BIT, .bit = bit };

	node.number = evc_bit_get(bit, value);
	node.truth = !known ? EVC_UNSURE : node.number ? EVC_PRESENT : EVC_ABSENT;
	put_cause(work, &node);
}

static enum evc_truth truth_not(enum evc_truth a)
{
	if (a == EVC_UNSURE)
		return a;
	return a == EVC_PRESENT ? EVC_ABSENT : EVC_PRESENT;
}

static enum evc_truth truth_and(enum evc_truth a, enum evc_truth b)
{
	if (a == EVC_ABSENT || b == EVC_ABSENT)
		return EVC_ABSENT;
	return a == EVC_UNSURE || b == EVC_UNSURE ? EVC_UNSURE : EVC_PRESENT;
}

static enum evc_truth truth_or(enum evc_truth a, enum evc_truth b)
{
	return truth_not(truth_and(truth_not(a), truth_not(b)));
}

enum evc_truth evc_linux_combine(enum evc_linux_reason reason, enum evc_truth a, enum evc_truth b)
{
	if (reason == EVC_LINUX_REASON_NOT)
		return truth_not(a);
	return reason == EVC_LINUX_REASON_AND ? truth_and(a, b) : truth_or(a, b);
}

/* Nodes point only backwards, and a condition is a few levels deep. */
static enum evc_truth node_truth(const struct evc_linux_trace *trace, uint16_t at)
{
	const struct evc_linux_node *node = &trace->nodes[at];

	switch (node->reason) {
	case EVC_LINUX_REASON_NOT:
		return truth_not(node_truth(trace, node->a));
	case EVC_LINUX_REASON_AND:
		return truth_and(node_truth(trace, node->a), node_truth(trace, node->b));
	case EVC_LINUX_REASON_OR:
		return truth_or(node_truth(trace, node->a), node_truth(trace, node->b));
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
	return (enum evc_truth)node->truth;
}

enum evc_truth evc_linux_recompute(const struct evc_linux_trace *trace, enum evc_linux_target target,
                                   uint16_t id)
{
	enum evc_truth now = EVC_ABSENT, forced = EVC_ABSENT, forbidden = EVC_ABSENT;

	for (uint16_t i = 0; i < trace->n_steps; i++) {
		const struct evc_linux_step *step = &trace->steps[i];
		enum evc_truth when;

		if (target == EVC_LINUX_TARGET_FLAG && step->target == target &&
		    step->id == EVC_LINUX_N_FLAGS)
			now = EVC_ABSENT;
		if (step->target != target || step->id != id)
			continue;
		when = node_truth(trace, step->node);
		switch (step->effect) {
		case EVC_LINUX_BECOMES:
			now = when;
			break;
		case EVC_LINUX_SET:
			now = truth_or(now, when);
			break;
		case EVC_LINUX_CLEAR:
			now = truth_and(now, truth_not(when));
			break;
		case EVC_LINUX_STAYS_SET:
			forced = truth_or(forced, when);
			now = truth_or(now, when);
			break;
		case EVC_LINUX_STAYS_CLEAR:
			forbidden = truth_or(forbidden, when);
			now = truth_and(now, truth_not(when));
			break;
		}
	}
	return truth_or(truth_and(now, truth_not(forbidden)), forced);
}

/* " families 0x15 to 0x17", " family 0x17"; nothing when it is any. */
static int range(char *buf, size_t size, const char *one, const char *many, unsigned first, unsigned last)
{
	if (!first && last == UINT8_MAX)
		return 0;
	if (first == last)
		return snprintf(buf, size, " %s 0x%x", one, first);
	if (last == UINT8_MAX)
		return snprintf(buf, size, " %s 0x%x and above", many, first);
	return snprintf(buf, size, " %s 0x%x to 0x%x", many, first, last);
}

char *evc_linux_cpus_format(const struct evc_linux_cpus *cpus, char buf[static EVC_LINUX_CPUS_TEXT])
{
	static const char *const vendors[EVC_LINUX_N_VENDORS] = {
		[EVC_LINUX_VENDOR_INTEL] = "Intel",      [EVC_LINUX_VENDOR_AMD] = "AMD",
		[EVC_LINUX_VENDOR_HYGON] = "Hygon",      [EVC_LINUX_VENDOR_CENTAUR] = "Centaur",
		[EVC_LINUX_VENDOR_ZHAOXIN] = "Zhaoxin",  [EVC_LINUX_VENDOR_TRANSMETA] = "Transmeta",
		[EVC_LINUX_VENDOR_NSC] = "NSC",          [EVC_LINUX_VENDOR_VORTEX] = "Vortex",
		[EVC_LINUX_VENDOR_ANY] = "any vendor's",
	};
	size_t at = (size_t)snprintf(buf, EVC_LINUX_CPUS_TEXT, "%s", vendors[cpus->vendor]);

	at += (size_t)range(buf + at, EVC_LINUX_CPUS_TEXT - at, "family", "families", cpus->family,
	                    cpus->family_last);
	at += (size_t)range(buf + at, EVC_LINUX_CPUS_TEXT - at, "model", "models", cpus->model,
	                    cpus->model_last);
	range(buf + at, EVC_LINUX_CPUS_TEXT - at, "stepping", "steppings", cpus->stepping,
	      cpus->stepping_last);
	return buf;
}

bool evc_linux_cpus_equal(const struct evc_linux_cpus *a, const struct evc_linux_cpus *b)
{
	return a->vendor == b->vendor && a->family == b->family && a->family_last == b->family_last &&
	       a->model == b->model && a->model_last == b->model_last && a->stepping == b->stepping &&
	       a->stepping_last == b->stepping_last;
}
