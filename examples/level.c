/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Level two dumps: level HOST1 HOST2.  Exit status 0: they share a mode. */
#include <evc.h>

#include <stdio.h>
#include <stdlib.h>

static int add_file(struct evc_cluster *cluster, const char *path, struct evc_error *err)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "r");
	size_t length = file ? fread(text, 1, sizeof(text), file) : 0;

	if (file)
		fclose(file);
	return evc_cluster_add(cluster, text, length, path, NULL, err);
}

int main(int argc, char **argv)
{
	struct evc_cluster *cluster = NULL;
	struct evc_answer answer = { 0 };
	struct evc_error err = { 0 };
	int status = evc_cluster_new(&cluster, &err);

	for (int i = 1; i < argc && status == EVC_OK; i++)
		status = add_file(cluster, argv[i], &err);
	if (status == EVC_OK)
		status = evc_cluster_level(cluster, NULL, 0, &answer, &err);
	if (status == EVC_OK)
		printf("%s: %s\n%s", answer.verdict == EVC_YES ? "yes" : "no", answer.mode, answer.text);
	else
		fprintf(stderr, "%s: %s\n", err.origin, err.text);
	evc_cluster_free(cluster);
	return status == EVC_OK && answer.verdict == EVC_YES ? EXIT_SUCCESS : EXIT_FAILURE;
}
