/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last thing that a lab host's init becomes: process 1, which reaps what nobody waits for, and one server
 * for each serial port that is called evc.N.  A server runs one command at a time for the client at the
 * port's other end, which is evc-lab exec (wire.py).
 *
 * A port is a stream of bytes that outlives its clients, so a client begins with the lab's key and a word of
 * its own, and takes nothing for an answer before both came back.  The key ends whatever the client before
 * had running.  Then frames: one byte of type, four of length (little endian), payload.
 *
 *   to here    R  command and arguments, each with its NUL   I  standard input   E  end of it   K  end the
 * command from here  O  standard output   X  standard error   A  an I was passed on, send the next   D status
 *
 * A command is done when it ended, not when the last holder of its output did: what it left running goes on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	KEY_BYTES = 16,
	WORD_BYTES = 16, /* the client's own, sent back */
	HEAD_BYTES = 5,
	MAX_PAYLOAD = 32768, /* of one frame; what the kernel's driver takes at once */
	MAX_ARGUMENTS = 1024,
	MAX_PORTS = 32,
	PATH_BYTES = 320,
	DRAIN_MS = 20,    /* how long output may still come after a command's end */
	HANG_UP_MS = 500, /* how long to wait for a client before looking again */
};

struct server {
	int port;
	unsigned char key[KEY_BYTES];
	unsigned char in[KEY_BYTES + WORD_BYTES + 2 * (HEAD_BYTES + MAX_PAYLOAD)];
	size_t n_in;
	/* The command; pid 0 when there is none. */
	pid_t pid;
	int input, output, error; /* its pipes, -1 when closed */
	unsigned char pending[MAX_PAYLOAD];
	size_t n_pending, n_passed; /* of its standard input */
	bool ends;                  /* its standard input ends after what is pending */
};

static void close_pipe(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool send_all(struct server *server, const void *bytes, size_t n)
{
	const unsigned char *at = bytes;

	while (n) {
		ssize_t sent = write(server->port, at, n);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false; /* nobody listens: the hang-up is seen next */
		at += sent;
		n -= (size_t)sent;
	}
	return true;
}

static bool send_frame(struct server *server, char type, const void *payload, size_t n)
{
	unsigned char frame[HEAD_BYTES + MAX_PAYLOAD] = { (unsigned char)type };

	for (int i = 0; i < 4; i++)
		frame[1 + i] = (unsigned char)(n >> (8 * i));
	if (n)
		memcpy(frame + HEAD_BYTES, payload, n);
	return send_all(server, frame, HEAD_BYTES + n);
}

static void end_command(struct server *server)
{
	if (server->pid) {
		kill(-server->pid, SIGKILL);
		kill(server->pid, SIGKILL);
		while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_pipe(&server->input);
	close_pipe(&server->output);
	close_pipe(&server->error);
	server->pid = 0;
	server->n_pending = server->n_passed = 0;
	server->ends = false;
}

static void reset(struct server *server)
{
	end_command(server);
	server->n_in = 0;
}

/* In the new process: becomes the command. */
static void become(char *const arguments[], const int input[2], const int output[2], const int error[2])
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	dup2(input[0], 0);
	dup2(output[1], 1);
	dup2(error[1], 2);
	execvp(arguments[0], arguments);
	dprintf(2, "evc-lab: %s: %s\n", arguments[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static bool make_pipes(int pipes[3][2])
{
	for (int i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC)) {
			while (i--) {
				close(pipes[i][0]);
				close(pipes[i][1]);
			}
			return false;
		}
	return true;
}

static bool start(struct server *server, char *const arguments[])
{
	int pipes[3][2];

	if (!make_pipes(pipes))
		return false;
	server->pid = fork();
	if (!server->pid)
		become(arguments, pipes[0], pipes[1], pipes[2]);
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	server->input = pipes[0][1];
	server->output = pipes[1][0];
	server->error = pipes[2][0];
	fcntl(server->input, F_SETFL, O_NONBLOCK);
	fcntl(server->output, F_SETFL, O_NONBLOCK);
	fcntl(server->error, F_SETFL, O_NONBLOCK);
	if (server->pid > 0)
		return true;
	server->pid = 0;
	end_command(server);
	return false;
}

static void send_status(struct server *server, int status)
{
	int value = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	unsigned char bytes[4] = { (unsigned char)value };

	send_frame(server, 'D', bytes, sizeof(bytes));
}

static void take_request(struct server *server, unsigned char *payload, size_t n)
{
	char *arguments[MAX_ARGUMENTS + 1];
	size_t n_arguments = 0;

	end_command(server);
	for (size_t at = 0; at < n && n_arguments < MAX_ARGUMENTS; n_arguments++) {
		arguments[n_arguments] = (char *)payload + at;
		at += strnlen((char *)payload + at, n - at) + 1;
	}
	arguments[n_arguments] = NULL;
	if (!n || payload[n - 1] || !start(server, arguments))
		send_status(server, 126 << 8);
}

static void take_frame(struct server *server, unsigned char type, unsigned char *payload, size_t n)
{
	switch (type) {
	case 'R':
		take_request(server, payload, n);
		break;
	case 'I':
		if (server->input < 0) {
			send_frame(server, 'A', NULL, 0);
			break;
		}
		memcpy(server->pending, payload, n);
		server->n_pending = n;
		server->n_passed = 0;
		break;
	case 'E':
		server->ends = true;
		break;
	case 'K':
		if (server->pid)
			kill(-server->pid, SIGTERM);
		break;
	default:
		break;
	}
}

/* The key may stand anywhere, also amidst what a client left half sent. */
static bool find_key(struct server *server)
{
	unsigned char *key = memmem(server->in, server->n_in, server->key, KEY_BYTES);
	unsigned char answer[KEY_BYTES + WORD_BYTES];
	size_t rest;

	if (!key || server->n_in - (size_t)(key - server->in) < sizeof(answer))
		return false;
	memcpy(answer, key, sizeof(answer));
	end_command(server);
	rest = server->n_in - (size_t)(key - server->in) - sizeof(answer);
	memmove(server->in, key + sizeof(answer), rest);
	server->n_in = rest;
	send_all(server, answer, sizeof(answer));
	return true;
}

static void take_input(struct server *server)
{
	while (find_key(server))
		;
	while (server->n_in >= HEAD_BYTES) {
		size_t n = 0;

		for (int i = 0; i < 4; i++)
			n |= (size_t)server->in[1 + i] << (8 * i);
		if (n > MAX_PAYLOAD) {
			/* Not a frame: a client's leavings.  The key that ends them comes, or a hang-up. */
			size_t keep =
				server->n_in < KEY_BYTES + WORD_BYTES ? server->n_in : KEY_BYTES + WORD_BYTES;

			memmove(server->in, server->in + server->n_in - keep, keep);
			server->n_in = keep;
			return;
		}
		if (server->n_in < HEAD_BYTES + n)
			return;
		take_frame(server, server->in[0], server->in + HEAD_BYTES, n);
		server->n_in -= HEAD_BYTES + n;
		memmove(server->in, server->in + HEAD_BYTES + n, server->n_in);
	}
}

/* False when the client hung up. */
static bool read_port(struct server *server)
{
	ssize_t n = read(server->port, server->in + server->n_in, sizeof(server->in) - server->n_in);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	server->n_in += (size_t)n;
	take_input(server);
	return true;
}

static void pass_output(struct server *server, int *fd, char type)
{
	unsigned char bytes[MAX_PAYLOAD];
	ssize_t n = read(*fd, bytes, sizeof(bytes));

	if (n > 0)
		send_frame(server, type, bytes, (size_t)n);
	else if (!n || (errno != EAGAIN && errno != EINTR))
		close_pipe(fd);
}

static void pass_input(struct server *server)
{
	if (server->n_pending) {
		ssize_t n = write(server->input, server->pending + server->n_passed,
		                  server->n_pending - server->n_passed);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			close_pipe(&server->input); /* the command does not want it */
		else
			server->n_passed += (size_t)n;
		if (n < 0 || server->n_passed == server->n_pending) {
			server->n_pending = 0;
			send_frame(server, 'A', NULL, 0);
		}
	}
	if (!server->n_pending && server->ends)
		close_pipe(&server->input);
}

/* What is still in the pipes of a command that ended. */
static void drain(struct server *server)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = server->output, .events = POLLIN },
			                 { .fd = server->error, .events = POLLIN } };

		if ((server->output < 0 && server->error < 0) || poll(fds, 2, DRAIN_MS) <= 0)
			return;
		if (fds[0].revents)
			pass_output(server, &server->output, 'O');
		if (fds[1].revents)
			pass_output(server, &server->error, 'X');
	}
}

static void look_for_end(struct server *server)
{
	int status;

	if (!server->pid || waitpid(server->pid, &status, WNOHANG) != server->pid)
		return;
	server->pid = 0;
	drain(server);
	end_command(server);
	send_status(server, status);
}

/* Nobody is there.  The kernel signals when that changes. */
static void wait_for_client(struct server *server)
{
	struct timespec limit = { .tv_nsec = HANG_UP_MS * 1000000L };
	sigset_t io;

	reset(server);
	sigemptyset(&io);
	sigaddset(&io, SIGIO);
	sigtimedwait(&io, NULL, &limit);
}

static void serve_once(struct server *server)
{
	bool wants_input = server->input >= 0 && (server->n_pending || server->ends);
	struct pollfd fds[4] = {
		{ .fd = server->port, .events = POLLIN },
		{ .fd = server->output, .events = POLLIN },
		{ .fd = server->error, .events = POLLIN },
		{ .fd = wants_input ? server->input : -1, .events = POLLOUT },
	};

	/* A command may end with its pipes held open by others: look now and then. */
	if (poll(fds, 4, server->pid ? 50 : -1) < 0)
		return;
	if (fds[0].revents & POLLIN && !read_port(server)) {
		wait_for_client(server);
		return;
	}
	if (fds[0].revents & (POLLHUP | POLLERR) && !(fds[0].revents & POLLIN)) {
		wait_for_client(server);
		return;
	}
	if (server->output >= 0 && fds[1].revents)
		pass_output(server, &server->output, 'O');
	if (server->error >= 0 && fds[2].revents)
		pass_output(server, &server->error, 'X');
	if (server->input >= 0 && (server->n_pending || server->ends))
		pass_input(server);
	look_for_end(server);
}

static void __attribute__((noreturn)) serve(const char *path, const unsigned char key[static KEY_BYTES])
{
	static struct server server = { .input = -1, .output = -1, .error = -1 };
	sigset_t io;

	sigemptyset(&io);
	sigaddset(&io, SIGIO);
	sigprocmask(SIG_BLOCK, &io, NULL);
	signal(SIGPIPE, SIG_IGN);
	memcpy(server.key, key, KEY_BYTES);
	server.port = open(path, O_RDWR | O_CLOEXEC);
	if (server.port < 0) {
		sleep(1);
		_exit(1);
	}
	fcntl(server.port, F_SETOWN, getpid());
	fcntl(server.port, F_SETFL, O_ASYNC);
	for (;;)
		serve_once(&server);
}

/* The path of the device of port evc.N; false when there is none. */
static bool find_port(int number, char path[static PATH_BYTES])
{
	static const char folder[] = "/sys/class/virtio-ports";
	DIR *ports = opendir(folder);
	struct dirent *entry;
	char wanted[16], name[32], file[PATH_BYTES];
	bool found = false;

	if (!ports)
		return false;
	snprintf(wanted, sizeof(wanted), "evc.%d\n", number);
	while (!found && (entry = readdir(ports))) {
		ssize_t n;
		int fd;

		snprintf(file, sizeof(file), "%s/%s/name", folder, entry->d_name);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, name, sizeof(name) - 1);
		close(fd);
		name[n > 0 ? n : 0] = '\0';
		found = !strcmp(name, wanted);
		if (found)
			snprintf(path, PATH_BYTES, "/dev/%s", entry->d_name);
	}
	closedir(ports);
	return found;
}

static bool read_key(const char *text, unsigned char ret_key[static KEY_BYTES])
{
	if (strlen(text) != 2 * KEY_BYTES)
		return false;
	for (int i = 0; i < KEY_BYTES; i++) {
		unsigned value;

		if (sscanf(text + 2 * i, "%2x", &value) != 1)
			return false;
		ret_key[i] = (unsigned char)value;
	}
	return true;
}

int main(int argc, char **argv)
{
	unsigned char key[KEY_BYTES];
	pid_t servers[MAX_PORTS] = { 0 };
	char path[PATH_BYTES];
	int n_ports = 0;

	if (argc != 2 || !read_key(argv[1], key)) {
		dprintf(2, "usage: agent KEY\n");
		return 2;
	}
	while (n_ports < MAX_PORTS && find_port(n_ports, path))
		n_ports++;
	for (;;) {
		pid_t ended;

		for (int i = 0; i < n_ports; i++) {
			if (servers[i] || !find_port(i, path))
				continue;
			servers[i] = fork();
			if (!servers[i])
				serve(path, key);
		}
		ended = wait(NULL);
		for (int i = 0; i < n_ports; i++)
			if (ended < 0 || servers[i] == ended)
				servers[i] = 0;
		if (ended < 0)
			sleep(1);
	}
}
