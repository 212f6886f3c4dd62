/* A chat over TCP, server and guest: `chat` of examples/languages/README.md.
 *
 * Run it: `lunatic run chat.c serve 127.0.0.1:4000`; a guest is `talk 127.0.0.1:4000 a hello`.
 *
 * What must stay true: the room alone decides the order in which all hear; nothing that a guest
 * does or fails to do makes the room wait. A guest is a process that reads and one that writes,
 * linked with each other, so that both end together. */
#include "lunatic_tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GIVEN = 1, JOIN = 2, SAY = 3, HEAR = 4 };
enum { LINE_MAX_BYTES = 1024, ROOM_FOR_ALL = 3 * LINE_MAX_BYTES, WRITE_TIMEOUT = 30000 };

/* ---- lines ---- */

typedef struct lines {
    uint64_t stream;
    size_t length, max;
    char bytes[ROOM_FOR_ALL + 2];
} lines;

/* Stores the next line without its end; false at the end, and if one is too long. */
static bool next_line(lines *from, char *line, size_t *length) {
    char *end;
    while ((end = (char *)memchr(from->bytes, '\n', from->length)) == NULL) {
        if (from->length == from->max + 2) return false;
        int64_t came = lunatic_tcp_read(from->stream, from->bytes + from->length,
                                        from->max + 2 - from->length);
        if (came <= 0) return false;
        from->length += (size_t)came;
    }
    *length = (size_t)(end - from->bytes);
    size_t used = *length + 1;
    if (*length > 0 && from->bytes[*length - 1] == '\r') --*length;
    if (*length > from->max) return false;
    memcpy(line, from->bytes, *length);
    from->length -= used;
    memmove(from->bytes, from->bytes + used, from->length);
    return true;
}

/* ---- the room ---- */

typedef struct guest {
    lunatic_pid reader, writer;
    size_t length;
    char name[LINE_MAX_BYTES];
    struct guest *next;
} guest;

/* Sends the three parts as a line to all; who has no room for it in the mailbox is shown out. */
static void tell_all(const guest *all, const char *before, const guest *who, const char *after,
                     const char *line, size_t length) {
    char place[ROOM_FOR_ALL];
    size_t at = strlen(before), more = strlen(after);
    memcpy(place, before, at);
    memcpy(place + at, who->name, who->length);
    at += who->length;
    memcpy(place + at, after, more);
    at += more;
    if (length > 0) memcpy(place + at, line, length);
    at += length;
    place[at++] = '\n';
    for (; all != NULL; all = all->next)
        if (!lunatic_send(all->writer, HEAR, place, at, 0))
            lunatic_exit(all->reader, LUNATIC_SHUTDOWN, NULL, 0);
}

static void join(guest **all, lunatic_pid reader, const uint8_t *body, size_t length) {
    guest *one = (guest *)lunatic_allocate(sizeof *one);
    one->reader = reader;
    memcpy(&one->writer, body, sizeof one->writer);
    one->length = length - sizeof one->writer;
    memcpy(one->name, body + sizeof one->writer, one->length);
    one->next = *all;
    *all = one;
    lunatic_monitor(reader);
    tell_all(*all, "* ", one, " is here", NULL, 0);
}

static guest **find(guest **all, lunatic_pid reader) {
    while (*all != NULL && !lunatic_same((*all)->reader, reader)) all = &(*all)->next;
    return all;
}

static void keep_room(const uint8_t *argument, size_t argument_length) {
    (void)argument, (void)argument_length;
    guest *all = NULL;
    for (;;) {
        lunatic_message message;
        uint8_t place[LINE_MAX_BYTES + sizeof(lunatic_pid)];
        lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
        size_t length = 0;
        if (message.kind == LUNATIC_IS_MESSAGE) length = lunatic_read(place, sizeof place);
        if (message.tag == JOIN && length >= sizeof(lunatic_pid))
            join(&all, message.sender, place, length);
        guest **at = find(&all, message.sender), *one = *at;
        if (one == NULL) continue;
        if (message.tag == SAY) tell_all(all, "", one, ": ", (const char *)place, length);
        if (message.kind != LUNATIC_IS_DOWN) continue;
        *at = one->next;
        tell_all(all, "* ", one, " has left", NULL, 0);
        free(one);
    }
}

/* ---- a guest's processes in the server ---- */

static uint64_t take_stream(void) {
    lunatic_message message;
    lunatic_receive_tag(GIVEN, LUNATIC_FOREVER, &message);
    return lunatic_tcp_take();
}

static void write_to_guest(const uint8_t *argument, size_t argument_length) {
    (void)argument, (void)argument_length;
    uint64_t stream = take_stream();
    for (;;) {
        lunatic_message message;
        char place[ROOM_FOR_ALL];
        lunatic_receive(NULL, 0, LUNATIC_FOREVER, &message);
        size_t length = lunatic_read(place, sizeof place);
        if (!lunatic_tcp_write(stream, place, length, WRITE_TIMEOUT))
            lunatic_exit_self(LUNATIC_SHUTDOWN, NULL, 0);
    }
}

static void read_from_guest(const uint8_t *argument, size_t argument_length) {
    (void)argument, (void)argument_length;
    static lines from;
    char body[sizeof(lunatic_pid) + LINE_MAX_BYTES], *line = body + sizeof(lunatic_pid);
    size_t length;
    lunatic_pid room;
    lunatic_child writer;
    from.stream = take_stream();
    from.max = LINE_MAX_BYTES;
    if (!lunatic_whereis("room", &room)) lunatic_fail("there is no room");
    if (lunatic_spawn(write_to_guest, NULL, 0, LUNATIC_LINK, LUNATIC_OWN, &writer) != LUNATIC_OK)
        lunatic_fail("nobody can write to the guest");
    lunatic_tcp_give(writer.pid, GIVEN, lunatic_tcp_clone(from.stream), LUNATIC_FOREVER);
    memcpy(body, &writer.pid, sizeof writer.pid);
    if (next_line(&from, line, &length)) {
        lunatic_send(room, JOIN, body, sizeof writer.pid + length, LUNATIC_FOREVER);
        while (next_line(&from, line, &length))
            lunatic_send(room, SAY, line, length, LUNATIC_FOREVER);
    }
    /* Other than normal, so that the writer ends, too. */
    lunatic_exit_self(LUNATIC_SHUTDOWN, NULL, 0);
}

/* ---- the roles ---- */

static int serve(const char *where) {
    uint64_t listener, stream;
    lunatic_child child;
    if (!lunatic_tcp_listen(where, &listener)) {
        fprintf(stderr, "cannot listen on %s\n", where);
        return 1;
    }
    if (lunatic_spawn(keep_room, NULL, 0, LUNATIC_LINK, LUNATIC_OWN, &child) != LUNATIC_OK ||
        !lunatic_register("room", child.pid))
        lunatic_fail("there is no room");
    const char *port = strrchr(where, ':');
    printf("listening on %.*s:%u\n", (int)(port - where), where, lunatic_tcp_port(listener));
    fflush(stdout);
    for (;;) {
        if (!lunatic_tcp_accept(listener, &stream)) continue;
        if (lunatic_spawn(read_from_guest, NULL, 0, 0, LUNATIC_OWN, &child) == LUNATIC_OK)
            lunatic_tcp_give(child.pid, GIVEN, stream, LUNATIC_FOREVER);
        else
            lunatic_tcp_close(stream);
    }
}

/* Prints what is heard, from the guest's own arrival on, until it is the text. */
static bool hear(lines *from, const char *text, bool *here) {
    char line[ROOM_FOR_ALL + 1];
    size_t length;
    while (next_line(from, line, &length)) {
        line[length] = 0;
        bool heard = strcmp(line, text) == 0;
        *here = *here || heard;
        if (*here) puts(line);
        if (heard) return true;
    }
    return false;
}

static int talk(const char *where, const char *name, char **said, int count) {
    static lines from;
    char text[ROOM_FOR_ALL];
    bool here = false;
    from.max = ROOM_FOR_ALL;
    if (!lunatic_tcp_connect(where, WRITE_TIMEOUT, &from.stream)) {
        fprintf(stderr, "cannot connect to %s\n", where);
        return 1;
    }
    snprintf(text, sizeof text, "%s\n", name);
    bool well = lunatic_tcp_write(from.stream, text, strlen(text), WRITE_TIMEOUT);
    snprintf(text, sizeof text, "* %s is here", name);
    well = well && hear(&from, text, &here);
    for (int i = 0; well && i < count; i++) {
        snprintf(text, sizeof text, "%s\n", said[i]);
        well = lunatic_tcp_write(from.stream, text, strlen(text), WRITE_TIMEOUT);
        snprintf(text, sizeof text, "%s: %s", name, said[i]);
        well = well && hear(&from, text, &here);
    }
    lunatic_tcp_close(from.stream);
    if (!well) fputs("the connection has ended\n", stderr);
    return well ? 0 : 1;
}

int main(int count, char **arguments) {
    if (count <= 1) return serve("127.0.0.1:0");
    if (count == 3 && strcmp(arguments[1], "serve") == 0) return serve(arguments[2]);
    if (count >= 4 && strcmp(arguments[1], "talk") == 0)
        return talk(arguments[2], arguments[3], arguments + 4, count - 4);
    fputs("usage: chat serve ADDRESS | chat talk ADDRESS NAME LINE...\n", stderr);
    return 2;
}
