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
 * What a host is affected by is asked of a guest with the level's features and the host's own identity, and
 * with those of the host's instructions that run also where CPUID hides them: a guest without TSX can begin a
 * transaction all the same, and is told that it cannot be attacked by one.  AVX is not among them, since
 * without its state in leaf 0xd no guest can switch it on: gathers are no flaw then.  Neither is one that no
 * guest is ever told of, since only a hypervisor mends it.  What a level rightly drops is none either: a bit
 * like RDCL_NO goes when one host lacks it, which makes guests more careful.
 */
#include "core/linux_seen.h"

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

static struct evc_linux_env env_of(const struct evc_dump *dump)
{
	return (struct evc_linux_env){ .platform = names_a_hypervisor(dump) ? EVC_LINUX_PLATFORM_AUTO
		                                                            : EVC_LINUX_KVM };
}

void evc_linux_see(const struct evc_linux_tree *tree, const struct evc_dump *dump,
                   struct evc_linux_view *ret_view)
{
	struct evc_linux_env env = env_of(dump);

	evc_linux_predict(&(struct evc_linux_question){ .tree = tree, .env = &env, .dump = dump }, ret_view);
}

void evc_linux_flaws_told(const struct evc_linux_view *view, const struct evc_dump *dump,
                          struct evc_linux_flaws *ret_flaws)
{
	struct evc_linux_env env = env_of(dump);
	struct evc_linux_question question = { .tree = view->tree, .env = &env, .dump = dump };
	struct evc_linux_vuln vulns[EVC_LINUX_MAX_VULNS];
	/* What does not know that it is a guest is told nothing that would count. */
	bool counts = evc_linux_view_flag(view, EVC_LINUX_F_HYPERVISOR).truth == EVC_PRESENT;

	*ret_flaws = (struct evc_linux_flaws){ .n = evc_linux_vulns(&question, view, vulns) };
	for (size_t i = 0; i < ret_flaws->n; i++) {
		struct evc_linux_truth affected = vulns[i].affected;

		ret_flaws->files[i] = vulns[i].file;
		ret_flaws->affected[i] =
			counts && !(affected.depends & ~harmless) ? affected.truth : EVC_UNSURE;
	}
}

/* Bits by which a CPU says that a flaw is not its own, of which findings tell by themselves. */
static const struct {
	enum evc_feature_id bit;
	const char *file;
} immunities[] = {
	{ .bit = EVC_F_RDCL_NO, .file = "meltdown" },
	{ .bit = EVC_F_RDCL_NO, .file = "l1tf" },
	{ .bit = EVC_F_SSB_NO, .file = "spec_store_bypass" },
	{ .bit = EVC_F_AMD_NO_SSB, .file = "spec_store_bypass" },
	{ .bit = EVC_F_MDS_NO, .file = "mds" },
	{ .bit = EVC_F_PSCHANGE_MC_NO, .file = "itlb_multihit" },
	{ .bit = EVC_F_TAA_NO, .file = "tsx_async_abort" },
	{ .bit = EVC_F_SBDR_SSDP_NO, .file = "mmio_stale_data" },
	{ .bit = EVC_F_FBSDP_NO, .file = "mmio_stale_data" },
	{ .bit = EVC_F_PSDP_NO, .file = "mmio_stale_data" },
	{ .bit = EVC_F_GDS_NO, .file = "gather_data_sampling" },
	{ .bit = EVC_F_RFDS_NO, .file = "reg_file_data_sampling" },
	{ .bit = EVC_F_ITS_NO, .file = "indirect_target_selection" },
	{ .bit = EVC_F_BTC_NO, .file = "retbleed" },
	{ .bit = EVC_F_SRSO_NO, .file = "spec_rstack_overflow" },
	{ .bit = EVC_F_TSA_SQ_NO, .file = "tsa" },
	{ .bit = EVC_F_TSA_L1_NO, .file = "tsa" },
};

/*
 * What a CPU says of its flaws: KVM's answer, and the immunities that it hides.  (It hides taa-no where there
 * are no transactions.)
 */
static void put_immunities(struct evc_dump_builder *builder, const struct evc_offer *offer)
{
	uint64_t known,
		value = evc_dump_register(&offer->dump, EVC_MSR_ARCH_CAPABILITIES, 0, EVC_MSR, &known);

	for (size_t i = 0; i < sizeof(immunities) / sizeof(immunities[0]); i++) {
		struct evc_bit bit = evc_features[immunities[i].bit].bit;

		if (bit.reg != EVC_MSR || evc_cpu_truth(&offer->silicon, immunities[i].bit) != EVC_PRESENT)
			continue;
		value |= evc_bit_mask(bit);
		known |= evc_bit_mask(bit);
	}
	evc_dump_set_msr(builder, EVC_MSR_ARCH_CAPABILITIES, value, known);
}

int evc_linux_honest(const struct evc_dump *guest, const struct evc_offer *offer, struct evc_arena *arena,
                     struct evc_dump *ret_dump, struct evc_error *err)
{
	static const enum evc_feature_id signatures[] = { EVC_F_STEPPING, EVC_F_E_STEPPING_ID };
	/* Those that Linux asks when it decides whether there is a flaw. */
	static const enum evc_feature_id not_hidden[] = { EVC_F_RTM, EVC_F_RDRAND, EVC_F_RDSEED };
	struct evc_dump_builder builder;
	uint64_t known, value;

	evc_dump_begin(&builder, arena);
	evc_dump_copy(&builder, guest);
	for (size_t i = 0; i < sizeof(not_hidden) / sizeof(not_hidden[0]); i++) {
		struct evc_bit bit = evc_features[not_hidden[i]].bit;
		struct evc_leaf leaf = { .leaf = bit.leaf, .subleaf = bit.subleaf };

		if (!evc_dump_get(&offer->dump, bit, NULL))
			continue;
		leaf.value[bit.reg] = leaf.known[bit.reg] = (uint32_t)evc_bit_mask(bit);
		evc_dump_set_bits(&builder, &leaf);
	}
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		struct evc_bit bit = evc_features[signatures[i]].bit;
		struct evc_leaf leaf;

		evc_dump_leaf(guest, bit.leaf, bit.subleaf, &leaf);
		value = evc_dump_register(&offer->dump, bit.leaf, bit.subleaf, EVC_EAX, &known);
		leaf.value[EVC_EAX] = (uint32_t)value;
		leaf.known[EVC_EAX] = (uint32_t)known;
		evc_dump_set_bits(&builder, &leaf);
	}
	put_immunities(&builder, offer);
	return evc_dump_finish(&builder, ret_dump, err);
}

static bool said_already(const struct evc_findings *findings, const char *file)
{
	for (size_t i = 0; i < findings->n; i++)
		for (size_t j = 0; j < sizeof(immunities) / sizeof(immunities[0]); j++)
			if (findings->items[i].kind == EVC_FINDING_SECURITY &&
			    findings->items[i].feature == immunities[j].bit &&
			    !strcmp(immunities[j].file, file))
				return true;
	return false;
}

/* The first that is surely told so of a file; n when none is. */
static size_t first_told(const struct evc_linux_seer *seers, size_t n, size_t file, enum evc_truth truth)
{
	size_t i = 0;

	while (i < n && seers[i].flaws.affected[file] != truth)
		i++;
	return i;
}

void evc_linux_find_untold(const struct evc_linux_seer *hosts, size_t n_hosts,
                           const struct evc_linux_seer *guests, size_t n_guests,
                           struct evc_findings *findings)
{
	size_t n_files = n_hosts && n_guests ? hosts[0].flaws.n : 0;

	for (size_t file = 0; file < n_files; file++) {
		const char *name = hosts[0].flaws.files[file]->name;
		size_t host = first_told(hosts, n_hosts, file, EVC_PRESENT),
		       guest = first_told(guests, n_guests, file, EVC_ABSENT);

		if (host == n_hosts || guest == n_guests || said_already(findings, name))
			continue;
		evc_findings_add(findings, (struct evc_finding){ .kind = EVC_FINDING_UNTOLD,
		                                                 .severity = EVC_WARNING,
		                                                 .feature = EVC_N_FEATURES,
		                                                 .subject = hosts[host].name,
		                                                 .other = guests[guest].name,
		                                                 .detail = name });
	}
}
