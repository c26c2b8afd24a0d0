/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_H
#define EVC_H

/*
 * libevc: CPUID in, decisions with reasons out.
 *
 * A cluster is a set of hosts, read from dumps of any form that evc(1) reads, and the modes they may have.
 * You ask it questions; each answer is a verdict with its reasons, as text for people and as JSON for
 * programs, each finding in the form that evc(1) prints with --json.
 *
 * The library does no I/O, has no global state, does not log and never exits.  A cluster may be used by one
 * thread at a time; different clusters by different threads.  Strings in an answer belong to the cluster and
 * live until evc_cluster_free, so who asks all day makes a new cluster now and then.  Arguments are not NULL
 * unless it says so; outputs are written on success only, *err on failure only, and err may be NULL.
 */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EVC_PUBLIC __attribute__((visibility("default")))

/* What the caller can do about a failure. */
enum evc_code {
	EVC_OK = 0,
	EVC_ERR_USAGE = -1,       /* the request makes no sense: fix the call */
	EVC_ERR_INPUT = -2,       /* the input is damaged or of an unknown form: fix the file */
	EVC_ERR_NAME = -3,        /* an unknown feature, mode or format: fix the name */
	EVC_ERR_MEMORY = -4,      /* out of memory */
	EVC_ERR_IO = -5,          /* a file, device or process did not do what was asked */
	EVC_ERR_UNSUPPORTED = -6, /* this machine or this build cannot do it */
	EVC_ERR_LIMIT = -7,       /* the input is larger than what we accept */
};

/* Of fixed size, belongs to the caller, owns nothing; filled only on failure. */
struct evc_error {
	enum evc_code code;
	unsigned line;    /* 1-based, 0: not about a line */
	unsigned column;  /* 1-based, 0: not about a column */
	char origin[128]; /* file, host or device, "" when not known */
	char text[256];   /* one line, no full stop */
};

/* A verdict is not an error. */
enum evc_verdict {
	EVC_YES,
	EVC_NO,
	EVC_UNKNOWN, /* something was not readable or not known: never a yes */
};

struct evc_answer {
	enum evc_verdict verdict;
	const char *mode; /* the mode it is about, with its version: "intel-haswell@3"; "" when none */
	const char *text; /* one reason a line, for people; of evc_cluster_apply: the dump */
	const char *json; /* {"verdict", "mode", "findings": [...]}, for programs */
};

enum evc_flags {
	EVC_RAW = 1 << 0,            /* take dumps as they are, not what KVM and QEMU would show of them */
	EVC_ACROSS_VENDORS = 1 << 1, /* level Intel with AMD, with the risks in the answer */
	EVC_NESTED = 1 << 2,         /* VMX and SVM count: the guests are hypervisors themselves */
};

struct evc_cluster;

/* "0.1.0" */
EVC_PUBLIC const char *evc_version(void);

/* A cluster without hosts, with the built-in modes. */
EVC_PUBLIC int evc_cluster_new(struct evc_cluster **ret_cluster, struct evc_error *err);
EVC_PUBLIC void evc_cluster_free(struct evc_cluster *cluster);

/* Add modes of your own, in the form of evc-data(5); origin names the text in messages. */
EVC_PUBLIC int evc_cluster_add_modes(struct evc_cluster *cluster, const char *text, size_t length,
                                     const char *origin, struct evc_error *err);

/*
 * Add all hosts of a text of any form; name is for hosts whose text does not name them.  The text may be
 * freed afterwards.  A damaged text is an error AND adds a host that could not be read, so that a caller who
 * goes on gets "unknown" and not a level that forgot a host.  ret_first (may be NULL) is the number of the
 * first host added.
 */
EVC_PUBLIC int evc_cluster_add(struct evc_cluster *cluster, const char *text, size_t length, const char *name,
                               size_t *ret_first, struct evc_error *err);

/* Hosts are numbered from 0 in the order they were added. */
EVC_PUBLIC size_t evc_cluster_n_hosts(const struct evc_cluster *cluster);
EVC_PUBLIC const char *evc_cluster_host_name(const struct evc_cluster *cluster, size_t host);

/* The best mode that all hosts can have; with a mode (may be NULL): can they have it? flags: of evc_flags. */
EVC_PUBLIC int evc_cluster_level(struct evc_cluster *cluster, const char *mode, unsigned flags,
                                 struct evc_answer *ret_answer, struct evc_error *err);

/* Does a guest (a host of the cluster whose dump was taken inside a guest, or made by evc_cluster_apply) fit
 * a host? */
EVC_PUBLIC int evc_cluster_fits(struct evc_cluster *cluster, size_t guest, size_t host, unsigned flags,
                                struct evc_answer *ret_answer, struct evc_error *err);

/* What a guest on this host sees at the mode: answer->text is a dump in the format ("cpuid", "json", ...). */
EVC_PUBLIC int evc_cluster_apply(struct evc_cluster *cluster, size_t host, const char *mode,
                                 const char *format, unsigned flags, struct evc_answer *ret_answer,
                                 struct evc_error *err);

#ifdef __cplusplus
}
#endif

#endif
