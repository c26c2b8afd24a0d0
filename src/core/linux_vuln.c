/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest's kernel says of each flaw, by rules.
 *
 * A file's text is a row of parts; of each part's lines the first whose condition holds counts.  Conditions
 * have a truth of three values, so a part may end in several possible lines: all whose condition may hold, up
 * to and with the first that surely does.  Where they agree the text is known; where only their first part's
 * sort of answer agrees ("Mitigation: ..."), that is known; else nothing is.
 *
 * Whatever was assumed on the way to a line, for it or against those before it, goes into the answer's mask
 * of inputs: "this rests on what the hypervisor usually answers".
 */
#include "core/linux_vuln.h"

#include "core/linux-private.h"

#include <string.h>

enum { STACK = 16, DEPTH = 8, MSR_ARCH_CAPABILITIES = 0x10a };

struct work {
	const struct evc_linux_question *question;
	const struct evc_linux_view *view;
	uint64_t caps, caps_known; /* IA32_ARCH_CAPABILITIES as the kernel reads it */
	uint32_t caps_depend;
	unsigned depth; /* of conditions within conditions */
};

static const struct evc_linux_truth yes = { .truth = EVC_PRESENT }, no = { .truth = EVC_ABSENT },
				    unsure = { .truth = EVC_UNSURE };

static struct evc_linux_truth truth_if(bool condition)
{
	return condition ? yes : no;
}

/* One side that is false decides, and the other's assumptions do not matter. */
static struct evc_linux_truth truth_and(struct evc_linux_truth a, struct evc_linux_truth b)
{
	if (a.truth == EVC_ABSENT && (b.truth != EVC_ABSENT || !a.depends))
		return a;
	if (b.truth == EVC_ABSENT)
		return b;
	return (struct evc_linux_truth){
		.depends = a.depends | b.depends,
		.truth = a.truth == EVC_UNSURE || b.truth == EVC_UNSURE ? EVC_UNSURE : EVC_PRESENT,
	};
}

static struct evc_linux_truth truth_not(struct evc_linux_truth a)
{
	if (a.truth != EVC_UNSURE)
		a.truth = a.truth == EVC_PRESENT ? EVC_ABSENT : EVC_PRESENT;
	return a;
}

static struct evc_linux_truth truth_or(struct evc_linux_truth a, struct evc_linux_truth b)
{
	return truth_not(truth_and(truth_not(a), truth_not(b)));
}

/* Is the word one of the boot options?  "mds=" stands for any value. */
static bool in_cmdline(const struct evc_linux_env *env, const char *word)
{
	struct evc_span rest = evc_span_from(env ? env->cmdline : ""), option;
	size_t length = strlen(word);

	while (evc_span_word(&rest, &option))
		if (length && word[length - 1] == '=' ? evc_span_starts(option, word)
		                                      : evc_span_equals(option, word))
			return true;
	return false;
}

/* By the lines that count threads and cores: they are what the kernel itself goes by. */
static struct evc_linux_truth threads_share(const struct work *work)
{
	const struct evc_linux_value *siblings = &work->view->lines[EVC_LINUX_SIBLINGS],
				     *cores = &work->view->lines[EVC_LINUX_CPU_CORES];
	struct evc_linux_truth known = truth_and(siblings->known, cores->known),
			       shown = truth_and(siblings->shown, cores->shown);

	/* A kernel leaves both out for a single CPU that tells of no others. */
	if (shown.truth == EVC_ABSENT)
		return (struct evc_linux_truth){ .depends = shown.depends, .truth = EVC_ABSENT };
	if (known.truth != EVC_PRESENT)
		return (struct evc_linux_truth){ .depends = known.depends, .truth = EVC_UNSURE };
	return (struct evc_linux_truth){ .depends = known.depends,
		                         .truth = siblings->number > cores->number ? EVC_PRESENT
		                                                                   : EVC_ABSENT };
}

static struct evc_linux_truth family_below(const struct work *work, unsigned limit)
{
	const struct evc_linux_value *family = &work->view->lines[EVC_LINUX_CPU_FAMILY];

	if (family->known.truth != EVC_PRESENT)
		return family->known;
	return (struct evc_linux_truth){ .depends = family->known.depends,
		                         .truth = family->number < limit ? EVC_PRESENT : EVC_ABSENT };
}

static struct evc_linux_truth vendor_is(const struct work *work, const char *first, const char *second)
{
	const struct evc_linux_truth *known = &work->view->lines[EVC_LINUX_VENDOR_ID].known;

	if (known->truth != EVC_PRESENT)
		return unsure;
	return truth_if(!strcmp(work->view->vendor_id, first) || !strcmp(work->view->vendor_id, second));
}

static struct evc_linux_truth capability(const struct work *work, unsigned bit)
{
	struct evc_linux_truth truth = evc_linux_view_flag(work->view, EVC_LINUX_F_ARCH_CAPABILITIES),
			       value = unsure;

	if (work->caps_known >> bit & 1)
		value = truth_if(work->caps >> bit & 1);
	value.depends = work->caps_depend;
	return truth_and(truth, value);
}

static struct evc_linux_truth platform_is(const struct work *work, enum evc_linux_platform platform)
{
	return (struct evc_linux_truth){ .depends = 1u << EVC_LINUX_BY_PLATFORM,
		                         .truth = work->view->platform == platform ? EVC_PRESENT
		                                                                   : EVC_ABSENT };
}

static struct evc_linux_truth holds(struct work *work, unsigned program);

static struct evc_linux_truth operand(struct work *work, const struct evc_linux_vuln_op *op)
{
	const struct evc_linux_tree *tree = work->view->tree;

	switch (op->op) {
	case EVC_LINUX_OP_TRUE:
		return yes;
	case EVC_LINUX_OP_CALL:
		return holds(work, op->argument);
	case EVC_LINUX_OP_FLAG:
		return evc_linux_view_flag(work->view, (enum evc_linux_flag)op->argument);
	case EVC_LINUX_OP_BUG:
		return evc_linux_view_bug(work->view, (enum evc_linux_bug)op->argument);
	case EVC_LINUX_OP_HAS:
		return truth_if(tree->bug_numbers[op->argument] != UINT8_MAX);
	case EVC_LINUX_OP_CAP:
		return capability(work, op->argument);
	case EVC_LINUX_OP_SINCE:
		return truth_if(tree->version >= op->argument);
	case EVC_LINUX_OP_TREE:
		return truth_if(!strcmp(tree->name, evc_linux_vuln_names[op->argument]));
	case EVC_LINUX_OP_INTEL:
		return vendor_is(work, "GenuineIntel", "GenuineIntel");
	case EVC_LINUX_OP_AMD:
		return vendor_is(work, "AuthenticAMD", "HygonGenuine");
	case EVC_LINUX_OP_FAMILY_BELOW:
		return family_below(work, op->argument);
	case EVC_LINUX_OP_OFF:
		/* Where nobody says, mitigations are what the question is about: the kernel's own choice. */
		return truth_if(in_cmdline(work->question->env, "mitigations=off"));
	case EVC_LINUX_OP_SMT:
	case EVC_LINUX_OP_SMT_POSSIBLE:
		return threads_share(work);
	case EVC_LINUX_OP_EBPF:
		return (struct evc_linux_truth){ .truth = EVC_ABSENT, .depends = 1u << EVC_LINUX_BY_OPTIONS };
	case EVC_LINUX_OP_KVM:
		return truth_and(evc_linux_view_flag(work->view, EVC_LINUX_F_VMX),
		                 (struct evc_linux_truth){ .truth = EVC_UNSURE,
		                                           .depends = 1u << EVC_LINUX_BY_RUNTIME });
	case EVC_LINUX_OP_ON_KVM:
		return platform_is(work, EVC_LINUX_KVM);
	case EVC_LINUX_OP_ON_TCG:
		return platform_is(work, EVC_LINUX_TCG);
	default:
		return unsure;
	}
}

/* The generator writes sound postfix; should it ever not, the answer is "unsure". */
static struct evc_linux_truth holds(struct work *work, unsigned program)
{
	struct evc_linux_truth stack[STACK] = { unsure };
	unsigned n = 0;

	if (work->depth == DEPTH)
		return unsure;
	work->depth++;
	for (const struct evc_linux_vuln_op *op = &evc_linux_vuln_code[program]; op->op != EVC_LINUX_OP_END;
	     op++) {
		if (op->op == EVC_LINUX_OP_NOT && n) {
			stack[n - 1] = truth_not(stack[n - 1]);
		} else if (op->op == EVC_LINUX_OP_AND && n > 1) {
			n--;
			stack[n - 1] = truth_and(stack[n - 1], stack[n]);
		} else if (op->op == EVC_LINUX_OP_OR && n > 1) {
			n--;
			stack[n - 1] = truth_or(stack[n - 1], stack[n]);
		} else if (n < STACK) {
			stack[n++] = operand(work, op);
		}
	}
	work->depth--;
	return n == 1 ? stack[0] : unsure;
}

/* What a part may come to. */
struct outcome {
	const struct evc_linux_vuln_row
		*row;                 /* the only one, or the first of those that agree; NULL: none holds */
	bool text_known, class_known; /* all that may hold agree */
	bool ends;                    /* it surely is the last part */
	uint32_t depends;
};

static bool same_text(const struct evc_linux_vuln_row *a, const struct evc_linux_vuln_row *b)
{
	return !strcmp(a ? a->text : "", b ? b->text : "") && (a && a->last) == (b && b->last);
}

/* One more line that may be it. */
static void consider(struct outcome *outcome, const struct evc_linux_vuln_row *row, bool *some)
{
	if (!*some) {
		outcome->row = row;
		outcome->ends = row && row->last;
		outcome->text_known = !row || row->text[0] != '?';
		outcome->class_known = row && row->class != EVC_LINUX_VULN_UNSURE;
		*some = true;
		return;
	}
	outcome->text_known &= same_text(outcome->row, row);
	outcome->class_known &= row && outcome->row && row->class == outcome->row->class;
	outcome->ends &= row && row->last;
}

static struct outcome part_outcome(struct work *work, const struct evc_linux_vuln_part *part)
{
	struct outcome outcome = { 0 };
	bool some = false;

	for (unsigned i = 0; i < part->n; i++) {
		const struct evc_linux_vuln_row *row = &evc_linux_vuln_rows[part->first + i];
		struct evc_linux_truth truth = holds(work, row->program);

		outcome.depends |= truth.depends;
		if (truth.truth == EVC_ABSENT)
			continue;
		consider(&outcome, row, &some);
		if (truth.truth == EVC_PRESENT)
			return outcome;
	}
	consider(&outcome, NULL, &some);
	return outcome;
}

/* Older kernels put a comma between parts where later ones have a semicolon. */
static void append(struct evc_linux_vuln *vuln, const char *text, bool commas)
{
	size_t length = strlen(vuln->text), more = strlen(text);

	if (length + more >= sizeof(vuln->text))
		return;
	memcpy(vuln->text + length, text, more + 1);
	if (commas && length && text[0] == ';')
		vuln->text[length] = ',';
}

static void make_text(struct work *work, struct evc_linux_vuln *vuln)
{
	bool ends = false, commas = holds(work, vuln->file->commas).truth == EVC_PRESENT;

	vuln->text_known = true;
	for (unsigned i = 0; i < vuln->file->n_parts && i < EVC_LINUX_VULN_PARTS && !ends; i++) {
		struct outcome outcome =
			part_outcome(work, &evc_linux_vuln_parts[vuln->file->first_part + i]);

		vuln->depends |= outcome.depends;
		if (!i)
			vuln->class = outcome.class_known && outcome.row ? outcome.row->class
			                                                 : EVC_LINUX_VULN_UNSURE;
		ends = outcome.ends;
		vuln->rows[vuln->n_rows++] = outcome.text_known ? outcome.row : NULL;
		vuln->text_known &= outcome.text_known;
		if (vuln->text_known && outcome.row)
			append(vuln, outcome.row->text, commas);
	}
}

/* An option that changes the text in a way that no rule tells. */
static bool overridden(const struct work *work, const struct evc_linux_vuln_file *file)
{
	for (unsigned i = 0; i < file->n_options; i++)
		if (in_cmdline(work->question->env, evc_linux_vuln_options[file->first_option + i]))
			return true;
	return false;
}

static void make_vuln(struct work *work, struct evc_linux_vuln *vuln)
{
	struct evc_linux_truth affected = holds(work, vuln->file->affected);

	vuln->affected = affected;
	vuln->depends = affected.depends;
	if (affected.truth == EVC_ABSENT) {
		vuln->class = EVC_LINUX_VULN_NOT_AFFECTED;
		vuln->text_known = true;
		append(vuln, "Not affected", false);
		return;
	}
	vuln->class = EVC_LINUX_VULN_UNSURE;
	if (affected.truth == EVC_UNSURE)
		return;
	if (overridden(work, vuln->file)) {
		vuln->depends |= 1u << EVC_LINUX_BY_OPTIONS;
		return;
	}
	make_text(work, vuln);
	/* Of such a tree the texts were not read: those of its neighbours tell the sort only. */
	vuln->text_known &= !work->view->tree->headers_only;
	if (!vuln->text_known)
		vuln->text[0] = '\0';
}

size_t evc_linux_vulns(const struct evc_linux_question *question, const struct evc_linux_view *view,
                       struct evc_linux_vuln ret_vulns[static EVC_LINUX_MAX_VULNS])
{
	static const struct evc_linux_env nothing = { 0 };
	struct evc_linux_view platform = { .tree = view->tree, .platform = view->platform };
	struct evc_linux_work reading = { .tree = view->tree,
		                          .env = question->env ? question->env : &nothing,
		                          .question = question,
		                          .view = &platform,
		                          .reader = { .dump = question->dump } };
	struct evc_linux_answer caps = evc_linux_msr(&reading, MSR_ARCH_CAPABILITIES);
	struct work work = { .question = question,
		             .view = view,
		             .caps = caps.value,
		             .caps_known = caps.readable == EVC_UNSURE ? 0 : caps.known,
		             .caps_depend = caps.depends };
	size_t n = 0;

	for (size_t i = 0; i < evc_n_linux_vuln_files; i++) {
		if (holds(&work, evc_linux_vuln_files[i].exists).truth != EVC_PRESENT)
			continue;
		ret_vulns[n] = (struct evc_linux_vuln){ .file = &evc_linux_vuln_files[i] };
		make_vuln(&work, &ret_vulns[n++]);
	}
	return n;
}

const char *evc_linux_vuln_class_name(enum evc_linux_vuln_class class)
{
	static const char *const names[] = {
		[EVC_LINUX_VULN_UNSURE] = "unsure",         [EVC_LINUX_VULN_NOT_AFFECTED] = "not affected",
		[EVC_LINUX_VULN_VULNERABLE] = "vulnerable", [EVC_LINUX_VULN_MITIGATION] = "mitigation",
		[EVC_LINUX_VULN_UNKNOWN] = "unknown",       [EVC_LINUX_VULN_NONE] = "",
	};

	return names[class];
}
