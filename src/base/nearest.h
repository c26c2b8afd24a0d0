/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_BASE_NEAREST_H
#define EVC_BASE_NEAREST_H

/*
 * What somebody may have meant who typed a name that does not exist.  Offer all words one after the other to
 * a search that begins as { .name = ... }; the first of the nearest stays.
 */

#include "base/span.h"

struct evc_nearest {
	struct evc_span name;
	const char *word; /* nearest so far, NULL while none is near: at most a third of the name differs */
	unsigned least;   /* letters in which it differs */
};

/* Upper and lower case differ in nothing; a part of the word behind a hyphen ("haswell") in one letter. */
void evc_nearest_offer(struct evc_nearest *nearest, const char *word);

#endif
