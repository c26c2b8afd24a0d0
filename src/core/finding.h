/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_CORE_FINDING_H
#define EVC_CORE_FINDING_H

/*
 * Findings: a decision and its reason.  Whoever decides adds findings; whoever explains prints
 * them (text/report.h) and knows nothing that is not in them.
 */

#include "base/arena.h"
#include "base/error.h"
#include "core/feature.h"

#include <stdbool.h>

enum evc_severity {
	EVC_NOTE,    /* worth knowing */
	EVC_WARNING, /* works, with a price or a risk */
	EVC_DOUBT,   /* makes the verdict "unknown" */
	EVC_BLOCKS,  /* makes the verdict "no" */
};

enum evc_finding_kind {
	EVC_FINDING_LACKS,         /* subject lacks feature that other has or wants */
	EVC_FINDING_HIDES,         /* a warning bit that the guest was not given */
	EVC_FINDING_OUTSIDE,       /* field: subject has "have", wanted is "want" */
	EVC_FINDING_DIFFERS,       /* hosts disagree on a "same" field */
	EVC_FINDING_UNSURE,        /* feature of subject is not known */
	EVC_FINDING_UNREADABLE,    /* subject could not be read: detail says why */
	EVC_FINDING_VENDOR,        /* vendors differ, or the mode is another vendor's */
	EVC_FINDING_HOLDS_DOWN,    /* subject alone holds the level below other (a mode), by feature */
	EVC_FINDING_GAIN,          /* without subject, or with it fixed, the level would be other */
	EVC_FINDING_EXTRA,         /* common feature beyond the mode, hidden by it */
	EVC_FINDING_DROPPED,       /* feature dropped because a need of it is not there: detail */
	EVC_FINDING_UNREACHABLE,   /* an "or" bit that KVM cannot show on subject, cleared in the level */
	EVC_FINDING_SECURITY,      /* the level tells a guest "not affected" though subject is */
	EVC_FINDING_UNTOLD,        /* guests made on other are not told of a flaw (detail) that subject has */
	EVC_FINDING_RISK,          /* a risk to be accepted: detail */
	EVC_FINDING_FLOOR,         /* the level is below the floor */
	EVC_FINDING_CANNOT_RETURN, /* fits there, but could not come back after a restart there */
	EVC_FINDING_TARGET_LOSS,   /* an export target cannot hold something: detail */
	EVC_FINDING_SHOWS,         /* subject shows a feature that other's guest was not given */
	EVC_FINDING_CHANGES,       /* a running guest would see another value of other at subject: detail */
	EVC_FINDING_UNSEEN,        /* subject does not see feature that other (a mode) promises */
	EVC_FINDING_LEAKED,        /* subject sees feature that is hidden by other */
	EVC_FINDING_VALUE,     /* subject sees have where want was predicted: feature or detail says where */
	EVC_FINDING_REDUCED,   /* other without feature: subject cannot show it, so it is not proved */
	EVC_FINDING_OVERRIDES, /* subject shows other (a leaf) not as it was given: no level holds there */
	EVC_FINDING_NOTE,      /* anything else worth a line: detail */
};

/* Why a feature is probably missing; what would fix it follows from it. */
enum evc_cause {
	EVC_CAUSE_NONE,
	EVC_CAUSE_OLDER,        /* the silicon does not have it */
	EVC_CAUSE_REMOVED,      /* newer silicon dropped it (MPX, TSX, 3DNow!, XOP ...) */
	EVC_CAUSE_FIRMWARE,     /* the generation has it, so probably switched off in firmware */
	EVC_CAUSE_MICROCODE,    /* comes with a microcode update */
	EVC_CAUSE_KERNEL,       /* the hardware has it, this kernel's KVM does not offer it */
	EVC_CAUSE_OPTION,       /* a module option or boot parameter switches it off */
	EVC_CAUSE_QEMU,         /* KVM offers it, this QEMU has no name for it */
	EVC_CAUSE_UNMIGRATABLE, /* QEMU hides it from guests that are to be migrated */
	EVC_CAUSE_NESTED,       /* the host is itself a guest and was not given it */
	EVC_CAUSE_DUMP,         /* the dump is too old or too short to say */
	EVC_CAUSE_VENDOR,       /* another vendor's feature */
	EVC_CAUSE_NEVER,        /* KVM never offers it to guests */
	EVC_CAUSE_AFFECTED,     /* it says that a flaw is not there, and the host does not say so */
	EVC_CAUSE_ACCELERATOR,  /* KVM or TCG here cannot show it */
	EVC_CAUSE_OVERRIDE,     /* KVM shows another value than it was given */
	EVC_CAUSE_QEMU_ADDS,    /* QEMU decides it, whatever it was asked for */
	EVC_CAUSE_GUEST,        /* the guest's kernel decides it */
	EVC_CAUSE_OURS,         /* nobody else had a hand in it: the prediction is wrong */
};

struct evc_finding {
	enum evc_finding_kind kind;
	enum evc_severity severity;
	enum evc_cause cause;
	enum evc_feature_id feature; /* EVC_N_FEATURES when not about one */
	const char *subject;         /* host or guest it is about, "" when about all */
	const char *other;           /* the other host, mode or target, "" when none */
	const char *detail;          /* more, in words, "" when none */
	uint64_t have, want;         /* of fields */
};

struct evc_findings {
	struct evc_arena *arena;
	struct evc_finding *items;
	size_t n, size;
};

/* Copies the finding; its strings must live as long as the arena. NULL strings become "". */
void evc_findings_add(struct evc_findings *findings, struct evc_finding finding);

/* No if any blocks, else unknown if any doubts, else yes. */
enum evc_verdict evc_findings_verdict(const struct evc_findings *findings);

#endif
