/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Run a fuzz target over files, for compilers without libFuzzer: every build tests the seeds. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_SEED = 1 << 20 };

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
	/* each cut as well: a text may end anywhere */
	for (size_t length = 0; length < n; length += n / 64 + 1)
		LLVMFuzzerTestOneInput(data, length);
	LLVMFuzzerTestOneInput(data, n);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0, n_seeds = 0;

	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		struct dirent *entry;

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
	printf("%d seeds\n", n_seeds);
	return failed || !n_seeds;
}
