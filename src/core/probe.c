/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/probe.h"

#include "core/instruction.h"

#include <stdio.h>

/* Exceptions by vector, as the manuals write them. */
static const char *const vectors[] = {
	"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9",  "#TS",
	"#NP", "#SS", "#GP", "#PF", "#15", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
};

enum { INVALID_OPCODE = 6, GENERAL_PROTECTION = 13 };

const char *evc_vector_name(uint8_t vector, char buf[static EVC_VECTOR_TEXT])
{
	if (vector < sizeof(vectors) / sizeof(vectors[0]))
		return vectors[vector];
	snprintf(buf, EVC_VECTOR_TEXT, "#%u", vector);
	return buf;
}

enum evc_verdict evc_probe_shows(const struct evc_probe *probe, size_t instruction)
{
	const struct evc_instruction *what = &evc_instructions[instruction];
	const struct evc_outcome *outcome = probe->outcomes ? &probe->outcomes[instruction] : NULL;

	if (!outcome || outcome->kind == EVC_OUTCOME_NONE)
		return EVC_UNKNOWN;
	if (outcome->kind == EVC_OUTCOME_FAULT && outcome->vector == INVALID_OPCODE)
		return EVC_NO;
	switch (what->proof) {
	case EVC_PROOF_RUNS:
		/* XGETBV knows the register that is asked for, or says #GP. */
		return outcome->kind == EVC_OUTCOME_RAN ? EVC_YES : EVC_NO;
	case EVC_PROOF_PROTECTED:
		return outcome->vector == GENERAL_PROTECTION ? EVC_YES : EVC_UNKNOWN;
	case EVC_PROOF_VALUE:
		return outcome->kind == EVC_OUTCOME_RAN && outcome->value == what->value ? EVC_YES : EVC_NO;
	}
	return EVC_UNKNOWN;
}
