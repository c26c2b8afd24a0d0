/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/nearest.h"

enum { MAX_WORD = 64 };

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
	return a == b || (a >= 'A' && a <= 'Z' && a + 'a' - 'A' == b);
}

/* Letters to change, drop or add to make word of name. */
static unsigned distance(struct evc_span name, const char *word)
{
	unsigned row[MAX_WORD + 1];
	size_t length = strlen(word);

	for (size_t j = 0; j <= length; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= name.length; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= length; j++) {
			unsigned above = row[j];

			row[j] = smaller(smaller(above, row[j - 1]) + 1,
			                 corner + !same_letter(name.text[i - 1], word[j - 1]));
			corner = above;
		}
	}
	return row[length];
}

static bool is_tail(struct evc_span name, const char *word)
{
	size_t length = strlen(word);

	return name.length && length > name.length && word[length - name.length - 1] == '-' &&
	       !distance(name, word + length - name.length);
}

void evc_nearest_offer(struct evc_nearest *nearest, const char *word)
{
	unsigned most = nearest->word ? nearest->least - 1 : (unsigned)nearest->name.length / 3 + 1, here;

	if (nearest->name.length > MAX_WORD || strlen(word) > MAX_WORD || (nearest->word && !nearest->least))
		return;
	here = is_tail(nearest->name, word) ? 1 : distance(nearest->name, word);
	if (here > most)
		return;
	nearest->word = word;
	nearest->least = here;
}
