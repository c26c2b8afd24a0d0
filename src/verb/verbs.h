/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_VERB_VERBS_H
#define EVC_VERB_VERBS_H

/* One verb a file; src/verb/verb.c lists them in the order of the help. */

#include "verb/verb.h"

extern const struct evc_verb evc_verb_capture;
extern const struct evc_verb evc_verb_check;
extern const struct evc_verb evc_verb_convert;
extern const struct evc_verb evc_verb_level;
extern const struct evc_verb evc_verb_diff;
extern const struct evc_verb evc_verb_matrix;
extern const struct evc_verb evc_verb_modes;
extern const struct evc_verb evc_verb_explain;
extern const struct evc_verb evc_verb_export;
extern const struct evc_verb evc_verb_apply;
extern const struct evc_verb evc_verb_guest;
extern const struct evc_verb evc_verb_observe;
extern const struct evc_verb evc_verb_migrate;
extern const struct evc_verb evc_verb_run;
extern const struct evc_verb evc_verb_show;
extern const struct evc_verb evc_verb_cpuinfo;
extern const struct evc_verb evc_verb_verify;

#endif
