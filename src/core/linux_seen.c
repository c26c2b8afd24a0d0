/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Levels as guests see them.
 *
 * Linux decides whether a CPU has a flaw by lists of models, by bits of IA32_ARCH_CAPABILITIES and by flags.
 * A level writes a signature of its own and keeps only bits that all hosts have, and so it can take a flaw
 * away: SRBDS is told to the guests of a client's Kaby Lake, but not to a guest at "Haswell", whose model is
 * the server's.  RSBA says that returns are predicted past the return stack; KVM cannot show it on a host
 * that lacks it.  A guest that is told "not affected" switches no mitigation on, also when it runs on the
 * host that is.
 *
 * What a host is affected by is taken from what a guest of its own, at its own signature, would be told; so
 * flaws that no guest is ever told of (what only a hypervisor can mend) are no finding, and neither is what a
 * level rightly drops: a bit like RDCL_NO goes when one host lacks it, which makes guests more careful.
 */
#include "core/linux_seen.h"

#include "core/linux_vuln.h"

#include <string.h>

/* What a view may rest on and still be held against a level: nothing that was read for us to assume. */
static const uint32_t harmless =
	1u << EVC_LINUX_BY_PLATFORM | 1u << EVC_LINUX_BY_OPTIONS | 1u << EVC_LINUX_BY_SHAPE;

int evc_linux_seen_tree(const char *name, const struct evc_linux_tree **ret_tree, struct evc_error *err)
{
	struct evc_linux_kernel kernel;
	int status = evc_linux_find(evc_span_from(name ? name : EVC_LINUX_GUEST), &kernel, err);

	if (status >= 0)
		*ret_tree = kernel.tree;
	return status;
}

/* The name of whoever owns leaf 0x40000000 is not that of a plain CPU. */
static bool names_a_hypervisor(const struct evc_dump *dump)
{
	return evc_dump_highest(dump, evc_features[EVC_F_MAX_HYP_LEAF].bit.leaf) != 0;
}

void evc_linux_see(const struct evc_linux_tree *tree, const struct evc_dump *dump,
                   struct evc_linux_view *ret_view)
{
	struct evc_linux_env env = { .platform = names_a_hypervisor(dump) ? EVC_LINUX_PLATFORM_AUTO
		                                                          : EVC_LINUX_KVM };
	struct evc_linux_question question = { .tree = tree, .env = &env, .dump = dump };

	evc_linux_predict(&question, ret_view);
}

size_t evc_linux_flags_only(const struct evc_linux_view *has, const struct evc_linux_view * not,
                            const char *ret_names[static EVC_LINUX_PLACES])
{
	size_t n = 0;

	for (unsigned i = 0; i < has->tree->n_flags && n < EVC_LINUX_PLACES; i++) {
		const struct evc_linux_name *name = &has->tree->flags[i];

		if (evc_linux_view_flag(has, (enum evc_linux_flag)name->symbol).truth == EVC_PRESENT &&
		    evc_linux_view_flag(not, (enum evc_linux_flag)name->symbol).truth == EVC_ABSENT)
			ret_names[n++] = name->name;
	}
	return n;
}

size_t evc_linux_bugs_only(const struct evc_linux_view *has, const struct evc_linux_view * not,
                           const char *ret_names[static EVC_LINUX_N_BUGS])
{
	size_t n = 0;

	for (unsigned i = 0; i < has->tree->n_bugs && n < EVC_LINUX_N_BUGS; i++) {
		const struct evc_linux_name *name = &has->tree->bugs[i];

		if (evc_linux_view_bug(has, (enum evc_linux_bug)name->symbol).truth == EVC_PRESENT &&
		    evc_linux_view_bug(not, (enum evc_linux_bug)name->symbol).truth == EVC_ABSENT)
			ret_names[n++] = name->name;
	}
	return n;
}

/* The first that surely says so of the bug; n when none does. */
static size_t first_saying(const struct evc_linux_seer *seers, size_t n, enum evc_linux_bug bug,
                           enum evc_truth truth)
{
	size_t i = 0;

	for (; i < n; i++) {
		struct evc_linux_truth said = evc_linux_view_bug(seers[i].view, bug);

		if (said.truth == truth && !(said.depends & ~harmless))
			break;
	}
	return i;
}

/* Bits by which a CPU says that a flaw is not its own, of which findings tell by themselves. */
static const struct {
	enum evc_feature_id bit;
	enum evc_linux_bug bug;
} immunities[] = {
	{ .bit = EVC_F_RDCL_NO, .bug = EVC_LINUX_B_CPU_MELTDOWN },
	{ .bit = EVC_F_RDCL_NO, .bug = EVC_LINUX_B_L1TF },
	{ .bit = EVC_F_SSB_NO, .bug = EVC_LINUX_B_SPEC_STORE_BYPASS },
	{ .bit = EVC_F_AMD_NO_SSB, .bug = EVC_LINUX_B_SPEC_STORE_BYPASS },
	{ .bit = EVC_F_MDS_NO, .bug = EVC_LINUX_B_MDS },
	{ .bit = EVC_F_PSCHANGE_MC_NO, .bug = EVC_LINUX_B_ITLB_MULTIHIT },
	{ .bit = EVC_F_TAA_NO, .bug = EVC_LINUX_B_TAA },
	{ .bit = EVC_F_SBDR_SSDP_NO, .bug = EVC_LINUX_B_MMIO_STALE_DATA },
	{ .bit = EVC_F_FBSDP_NO, .bug = EVC_LINUX_B_MMIO_STALE_DATA },
	{ .bit = EVC_F_PSDP_NO, .bug = EVC_LINUX_B_MMIO_STALE_DATA },
	{ .bit = EVC_F_PBRSB_NO, .bug = EVC_LINUX_B_EIBRS_PBRSB },
	{ .bit = EVC_F_GDS_NO, .bug = EVC_LINUX_B_GDS },
	{ .bit = EVC_F_RFDS_NO, .bug = EVC_LINUX_B_RFDS },
	{ .bit = EVC_F_ITS_NO, .bug = EVC_LINUX_B_ITS },
	{ .bit = EVC_F_BTC_NO, .bug = EVC_LINUX_B_RETBLEED },
	{ .bit = EVC_F_SRSO_NO, .bug = EVC_LINUX_B_SRSO },
	{ .bit = EVC_F_TSA_SQ_NO, .bug = EVC_LINUX_B_TSA },
	{ .bit = EVC_F_TSA_L1_NO, .bug = EVC_LINUX_B_TSA },
};

static bool said_already(const struct evc_findings *findings, enum evc_linux_bug bug)
{
	for (size_t i = 0; i < findings->n; i++)
		for (size_t j = 0; j < sizeof(immunities) / sizeof(immunities[0]); j++)
			if (findings->items[i].kind == EVC_FINDING_SECURITY && immunities[j].bug == bug &&
			    findings->items[i].feature == immunities[j].bit)
				return true;
	return false;
}

void evc_linux_find_untold(const struct evc_linux_seer *hosts, size_t n_hosts,
                           const struct evc_linux_seer *guests, size_t n_guests,
                           struct evc_findings *findings)
{
	const struct evc_linux_tree *tree;

	if (!n_hosts || !n_guests)
		return;
	tree = hosts[0].view->tree;
	for (unsigned i = 0; i < tree->n_bugs; i++) {
		enum evc_linux_bug bug = (enum evc_linux_bug)tree->bugs[i].symbol;
		size_t host = first_saying(hosts, n_hosts, bug, EVC_PRESENT),
		       guest = first_saying(guests, n_guests, bug, EVC_ABSENT);

		if (host == n_hosts || guest == n_guests || !evc_linux_vuln_of(bug) ||
		    said_already(findings, bug))
			continue;
		evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_UNTOLD,
		                                                 .severity = EVC_WARNING,
		                                                 .feature = EVC_N_FEATURES,
		                                                 .subject = hosts[host].name,
		                                                 .other = guests[guest].name,
		                                                 .detail = tree->bugs[i].name });
	}
}
