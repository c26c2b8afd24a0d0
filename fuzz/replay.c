/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Run a fuzz target over files, for compilers without libFuzzer: every build tests the seeds.
 *
 *     replay-linux [-runs=N] [-seed=S] FOLDER...
 *
 * -runs makes so many inputs besides, each from a seed with some bytes changed, put in or taken out.  Nothing
 * is learned from what they reach, so this is fast, where libFuzzer is thorough.  The input that a crash is
 * of is written to standard error as hexadecimal digits when the target aborts.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MAX_SEED = 1 << 20,
	MAX_KEPT = 256,  /* seeds that inputs are made of */
	MAX_MADE = 2048, /* bytes of one that is made */
	MAX_EDITS = 24,
};

struct input {
	uint8_t bytes[MAX_MADE];
	size_t n;
};

static struct input kept[MAX_KEPT], made;
static size_t n_kept;

/* xorshift64* */
static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)((*state * UINT64_C(0x2545f4914f6cdd1d) >> 32) % (below ? below : 1));
}

static void edit(struct input *input, uint64_t *state)
{
	const struct input *other = &kept[draw(state, (uint32_t)n_kept)];
	size_t at = draw(state, (uint32_t)input->n), n = 1 + draw(state, 24), from;

	switch (draw(state, 6)) {
	case 0:
		input->bytes[at] ^= (uint8_t)(1U << draw(state, 8));
		break;
	case 1:
		input->bytes[at] = (uint8_t)draw(state, 256);
		break;
	case 2: /* the head, which says what is done */
		input->bytes[draw(state, 5)] = (uint8_t)draw(state, 256);
		break;
	case 3: /* take out */
		if (input->n < 16 + n || at + n > input->n)
			break;
		memmove(input->bytes + at, input->bytes + at + n, input->n - at - n);
		input->n -= n;
		break;
	case 4: /* put in, from another */
		from = draw(state, (uint32_t)other->n);
		if (from + n > other->n || input->n + n > MAX_MADE)
			break;
		memmove(input->bytes + at + n, input->bytes + at, input->n - at);
		memcpy(input->bytes + at, other->bytes + from, n);
		input->n += n;
		break;
	default:
		for (size_t i = at; i < at + n && i < input->n; i++)
			input->bytes[i] = (uint8_t)draw(state, 256);
		break;
	}
}

static void show_input(int signal)
{
	(void)signal;
	for (size_t i = 0; i < made.n; i++)
		fprintf(stderr, "%02x", made.bytes[i]);
	fputc('\n', stderr);
	_exit(1);
}

/* Inputs of a round number each are told, so that a long run is seen to go on. */
static void make_inputs(uint64_t runs, uint64_t seed)
{
	uint64_t state = seed ? seed : 1;

	signal(SIGABRT, show_input);
	for (uint64_t run = 1; run <= runs && n_kept; run++) {
		made = kept[draw(&state, (uint32_t)n_kept)];
		for (uint32_t edits = 1 + draw(&state, MAX_EDITS); edits && made.n > 16; edits--)
			edit(&made, &state);
		LLVMFuzzerTestOneInput(made.bytes, made.n);
		if (run % 50000 == 0) {
			printf("%llu inputs\n", (unsigned long long)run);
			fflush(stdout);
		}
	}
	signal(SIGABRT, SIG_DFL);
}

static int replay(const char *folder, const char *name)
{
	static uint8_t data[MAX_SEED];
	char path[4096];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file) {
		perror(path);
		return 1;
	}
	n = fread(data, 1, sizeof(data), file);
	fclose(file);
	if (n <= MAX_MADE && n_kept < MAX_KEPT) {
		memcpy(kept[n_kept].bytes, data, n);
		kept[n_kept++].n = n;
	}
	/* each cut as well: a text may end anywhere */
	for (size_t length = 0; length < n; length += n / 64 + 1)
		LLVMFuzzerTestOneInput(data, length);
	LLVMFuzzerTestOneInput(data, n);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0, n_seeds = 0;
	uint64_t runs = 0, seed = 1;

	for (int i = 1; i < argc; i++) {
		DIR *folder;
		struct dirent *entry;

		if (!strncmp(argv[i], "-runs=", 6)) {
			runs = strtoull(argv[i] + 6, NULL, 10);
			continue;
		}
		if (!strncmp(argv[i], "-seed=", 6)) {
			seed = strtoull(argv[i] + 6, NULL, 10);
			continue;
		}
		folder = opendir(argv[i]);
		if (!folder) {
			perror(argv[i]);
			return 1;
		}
		while ((entry = readdir(folder)))
			if (entry->d_name[0] != '.') {
				failed |= replay(argv[i], entry->d_name);
				n_seeds++;
			}
		closedir(folder);
	}
	make_inputs(runs, seed);
	printf("%d seeds, %llu made of them\n", n_seeds, (unsigned long long)runs);
	return failed || !n_seeds;
}
