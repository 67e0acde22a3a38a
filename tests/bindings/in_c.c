// All of mailcore.h from a program in C11: a real SMTP dialogue, the whole server, its store, a rule, a message.
#include "mailcore.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int holds, const char *what, int line) {
    if (holds) return;
    fprintf(stderr, "in_c.c:%d: %s\n", line, what);
    exit(1);
}
#define CHECK(expression) check((expression) != 0, #expression, __LINE__)

static void must(mailcore_status status, char *why, int line) {
    if (status == MAILCORE_OK) return;
    fprintf(stderr, "in_c.c:%d: %s: %s\n", line, mailcore_status_name(status), why ? why : "");
    exit(1);
}
#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        const mailcore_status status_of_call = (call);                                                                 \
        must(status_of_call, why, __LINE__);                                                                           \
    } while (0)

/// Says `lines` to a port of this machine, reads until the peer closes, answers what it said.
static char *talk(uint16_t port, const char *lines) {
    static char heard[65536];
    struct sockaddr_in address;
    size_t length = 0;
    ssize_t got = 0;
    const int peer = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(peer, (struct sockaddr *)&address, sizeof address) == 0);
    // The greeting first: who speaks before it is refused.
    got = read(peer, heard, sizeof heard - 1);
    CHECK(got > 0);
    length = (size_t)got;
    CHECK(write(peer, lines, strlen(lines)) == (ssize_t)strlen(lines));
    while ((got = read(peer, heard + length, sizeof heard - 1 - length)) > 0) length += (size_t)got;
    close(peer);
    heard[length] = '\0';
    return heard;
}

static const char dialogue[] = "EHLO client.example\r\n"
                               "MAIL FROM:<jo@example.org>\r\n"
                               "RCPT TO:<an@example.test>\r\n"
                               "DATA\r\nSubject: hello\r\n\r\nIt works.\r\n.\r\nQUIT\r\n";

// An SMTP server

struct inbox {
    mailcore_smtp_server *server;
    char envelope[1024];
    char octets[1024];
    size_t length;
    uint64_t token;
    int later; // answer from another thread
    mailcore_verdict verdict;
    mailcore_status replied, replied_twice, stopped_inside;
    pthread_t thread;
    pthread_mutex_t mutex;
};

static void *answer_later(void *context) {
    struct inbox *inbox = context;
    char *why = NULL;
    pthread_mutex_lock(&inbox->mutex);
    MUST(mailcore_smtp_reply(inbox->server, inbox->token, &inbox->verdict, &why));
    pthread_mutex_unlock(&inbox->mutex);
    return NULL;
}

static void on_message(void *context, uint64_t token, const char *envelope, const char *octets, size_t length) {
    struct inbox *inbox = context;
    pthread_mutex_lock(&inbox->mutex);
    snprintf(inbox->envelope, sizeof inbox->envelope, "%s", envelope);
    CHECK(length < sizeof inbox->octets);
    memcpy(inbox->octets, octets, length);
    inbox->length = length;
    inbox->token = token;
    inbox->stopped_inside = mailcore_smtp_stop(inbox->server, NULL);
    if (inbox->later) {
        CHECK(pthread_create(&inbox->thread, NULL, answer_later, inbox) == 0);
    } else {
        inbox->replied = mailcore_smtp_reply(inbox->server, token, &inbox->verdict, NULL);
        inbox->replied_twice = mailcore_smtp_reply(inbox->server, token, &inbox->verdict, NULL);
    }
    pthread_mutex_unlock(&inbox->mutex);
}

static void smtp_server(void) {
    char *why = NULL;
    const char *heard = NULL;
    struct inbox inbox;
    mailcore_smtp_options options = MAILCORE_SMTP_OPTIONS_INIT;
    mailcore_smtp_server *second = NULL;
    memset(&inbox, 0, sizeof inbox);
    pthread_mutex_init(&inbox.mutex, NULL);
    inbox.verdict.size = sizeof inbox.verdict;
    options.hostname = "mx.example.test";
    options.message_octets_max = 1000;
    pthread_mutex_lock(&inbox.mutex);
    MUST(mailcore_smtp_start(&options, on_message, &inbox, &inbox.server, &why));
    pthread_mutex_unlock(&inbox.mutex);
    CHECK(mailcore_smtp_port(inbox.server) != 0);

    inbox.verdict.action = MAILCORE_ACCEPT;
    heard = talk(mailcore_smtp_port(inbox.server), dialogue);
    CHECK(strstr(heard, "220 mx.example.test ") == heard);
    CHECK(strstr(heard, "\r\n250 2.0.0 ") != NULL);
    CHECK(inbox.length == strlen("Subject: hello\r\n\r\nIt works.\r\n"));
    CHECK(memcmp(inbox.octets, "Subject: hello\r\n\r\nIt works.\r\n", inbox.length) == 0);
    CHECK(strstr(inbox.envelope, "\"sender\":\"jo@example.org\"") != NULL);
    CHECK(strstr(inbox.envelope, "\"recipients\":[\"an@example.test\"]") != NULL);
    CHECK(strstr(inbox.envelope, "\"address\":\"127.0.0.1\"") != NULL);
    CHECK(inbox.replied == MAILCORE_OK);
    CHECK(inbox.replied_twice == MAILCORE_NOT_FOUND);
    CHECK(inbox.stopped_inside == MAILCORE_REJECTED);

    inbox.later = 1;
    inbox.verdict.action = MAILCORE_REJECT;
    inbox.verdict.code = 554;
    inbox.verdict.enhanced = "5.6.0";
    inbox.verdict.text = "not like this";
    heard = talk(mailcore_smtp_port(inbox.server), dialogue);
    CHECK(strstr(heard, "\r\n554 5.6.0 not like this\r\n") != NULL);
    pthread_join(inbox.thread, NULL);

    inbox.later = 0;
    inbox.verdict.action = MAILCORE_DEFER; // with the code of a rejection
    heard = talk(mailcore_smtp_port(inbox.server), dialogue);
    CHECK(strstr(heard, "\r\n451 4.3.0 ") != NULL);
    CHECK(inbox.replied == MAILCORE_REJECTED);

    options.port = mailcore_smtp_port(inbox.server);
    CHECK(mailcore_smtp_start(&options, on_message, &inbox, &second, &why) == MAILCORE_CONFLICT);
    CHECK(second == NULL && why != NULL);
    mailcore_free(why);

    MUST(mailcore_smtp_stop(inbox.server, &why));
    MUST(mailcore_smtp_stop(inbox.server, &why));
    CHECK(mailcore_smtp_reply(inbox.server, inbox.token, &inbox.verdict, NULL) == MAILCORE_NOT_FOUND);
    CHECK(mailcore_smtp_free(inbox.server) == MAILCORE_OK);
    pthread_mutex_destroy(&inbox.mutex);
}

// The whole server

struct happenings {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int logged, changes;
    mailcore_server *server;
    mailcore_status called_inside;
};

static void on_log(void *context, const char *event) {
    struct happenings *seen = context;
    pthread_mutex_lock(&seen->mutex);
    CHECK(event[0] == '{' && strstr(event, "\"event\":") != NULL);
    ++seen->logged;
    pthread_mutex_unlock(&seen->mutex);
}

static void on_change(void *context, const char *event) {
    struct happenings *seen = context;
    char *answer = NULL;
    pthread_mutex_lock(&seen->mutex);
    CHECK(strstr(event, "\"account\":") != NULL && strstr(event, "\"mailboxes\":[") != NULL);
    seen->called_inside = mailcore_server_call(seen->server, "status", NULL, &answer, NULL);
    ++seen->changes;
    pthread_cond_signal(&seen->changed);
    pthread_mutex_unlock(&seen->mutex);
}

static uint16_t first_port(const mailcore_server *server) {
    char *why = NULL, *endpoints = NULL;
    const char *at = NULL;
    unsigned long port = 0;
    MUST(mailcore_server_endpoints(server, &endpoints, &why));
    at = strstr(endpoints, "\"port\":");
    CHECK(at != NULL);
    port = strtoul(at + strlen("\"port\":"), NULL, 10);
    mailcore_free(endpoints);
    return (uint16_t)port;
}

static void call(mailcore_server *server, const char *method, const char *request, const char *expected) {
    char *why = NULL, *answer = NULL;
    MUST(mailcore_server_call(server, method, request, &answer, &why));
    if (!strstr(answer, expected)) fprintf(stderr, "%s: %s\n", method, answer);
    CHECK(strstr(answer, expected) != NULL);
    mailcore_free(answer);
}

static void whole_server(void) {
    static const char config[] = "[server]\nhostname = \"mx.example.test\"\n"
                                 "[[listen]]\nservice = \"smtp\"\naddresses = [\"127.0.0.1\"]\nport = 0\n";
    char *why = NULL, *answer = NULL;
    struct happenings seen;
    mailcore_server_options options = MAILCORE_SERVER_OPTIONS_INIT;
    mailcore_server *server = NULL;
    memset(&seen, 0, sizeof seen);
    pthread_mutex_init(&seen.mutex, NULL);
    pthread_cond_init(&seen.changed, NULL);
    options.config = config;
    options.in_memory = 1;
    options.on_log = on_log;
    options.on_change = on_change;
    options.context = &seen;
    MUST(mailcore_server_create(&options, &server, &why));
    seen.server = server;
    CHECK(first_port(server) != 0);
    CHECK(mailcore_server_call(server, "status", NULL, &answer, NULL) == MAILCORE_UNAVAILABLE);
    MUST(mailcore_server_start(server, &why));
    CHECK(mailcore_server_start(server, NULL) == MAILCORE_REJECTED);

    call(server, "operations", NULL, "\"account.add\"");
    call(server, "domain.add", "{\"name\": \"example.test\"}", "{");
    call(server, "account.add", "{\"address\": \"an@example.test\", \"password\": \"correct horse\"}", "{");
    call(server, "metrics", "{}", "\"mailcore_connections\"");
    call(server, "status", "", "mx.example.test");
    CHECK(mailcore_server_call(server, "account.show", "{\"address\": \"no@example.test\"}", &answer, NULL) ==
          MAILCORE_NOT_FOUND);
    CHECK(mailcore_server_call(server, "no.such", "{}", &answer, NULL) == MAILCORE_NOT_FOUND);
    CHECK(mailcore_server_call(server, "account.show", "{\"address\": 1}", &answer, &why) == MAILCORE_REJECTED);
    CHECK(answer == NULL && strstr(why, "address") != NULL);
    mailcore_free(why);

    pthread_mutex_lock(&seen.mutex);
    seen.changes = 0;
    pthread_mutex_unlock(&seen.mutex);
    CHECK(strstr(talk(first_port(server), dialogue), "\r\n250 2.0.0 accepted") != NULL);
    pthread_mutex_lock(&seen.mutex);
    while (seen.changes == 0) pthread_cond_wait(&seen.changed, &seen.mutex);
    CHECK(seen.called_inside == MAILCORE_REJECTED);
    CHECK(seen.logged > 0);
    pthread_mutex_unlock(&seen.mutex);
    call(server, "account.list", "{}", "\"messages\":1");

    MUST(mailcore_server_reload(server, config, &answer, &why));
    CHECK(strcmp(answer, "{\"notes\":[]}") == 0);
    mailcore_free(answer);
    CHECK(mailcore_server_reload(server, "[server]\nno = 1\n", &answer, &why) == MAILCORE_REJECTED);
    CHECK(strstr(why, "config:2:") == why);
    mailcore_free(why);

    MUST(mailcore_server_stop(server, &why));
    MUST(mailcore_server_stop(server, &why));
    CHECK(mailcore_server_call(server, "status", NULL, &answer, NULL) == MAILCORE_UNAVAILABLE);
    CHECK(mailcore_server_start(server, NULL) == MAILCORE_REJECTED);
    CHECK(mailcore_server_free(server) == MAILCORE_OK);
    pthread_cond_destroy(&seen.changed);
    pthread_mutex_destroy(&seen.mutex);
}

static void store(void) {
    char folder[] = "/tmp/mailcore-in-c-XXXXXX";
    char command[128];
    char *why = NULL;
    static const char letter[] = "Subject: hello\r\n\r\nIt works.\r\n";
    static const char in_inbox[] = "{\"address\": \"an@example.test\", \"mailbox\": \"INBOX\", "
                                   "\"flags\": [\"\\\\Seen\"], \"received\": \"2003-07-01T10:52:37+02:00\"}";
    const size_t large_length = 3 * 1024 * 1024;
    char *answer = NULL, *octets = NULL, *large = NULL;
    size_t length = 0, at = 0;
    int32_t last = 0;
    mailcore_server *store = NULL, *second = NULL;
    CHECK(mkdtemp(folder) != NULL);
    MUST(mailcore_store_open(folder, &store, &why));
    call(store, "domain.add", "{\"name\": \"example.test\"}", "{");
    call(store, "account.add", "{\"address\": \"an@example.test\", \"password\": \"correct horse\"}", "{");
    CHECK(mailcore_store_open(folder, &second, NULL) == MAILCORE_CONFLICT);
    MUST(mailcore_email_add(store, in_inbox, letter, sizeof letter - 1, &answer, &why));
    CHECK(strstr(answer, "\"uid\":1") != NULL);
    mailcore_free(answer);
    // More than one request holds, and with NUL inside.
    large = calloc(1, large_length);
    CHECK(large != NULL);
    memcpy(large, letter, sizeof letter - 1);
    large[large_length - 1] = 'x';
    MUST(mailcore_email_add(store, in_inbox, large, large_length, &answer, &why));
    mailcore_free(answer);
    call(store, "email.list", "{\"address\": \"an@example.test\", \"mailbox\": \"INBOX\"}", "\\\\Seen");
    CHECK(mailcore_server_free(store) == MAILCORE_OK);
    MUST(mailcore_store_open(folder, &store, &why)); // what was written is there
    call(store, "account.list", NULL, "an@example.test");
    MUST(mailcore_email_read(store, "an@example.test", "INBOX", 1, 9, &octets, &length, &last, &why));
    CHECK(length == sizeof letter - 1 - 9 && memcmp(octets, letter + 9, length) == 0 && last == 1);
    mailcore_free(octets);
    for (at = 0, last = 0; last == 0; at += length) {
        MUST(mailcore_email_read(store, "an@example.test", "INBOX", 2, at, &octets, &length, &last, &why));
        CHECK(length > 0 && at + length <= large_length && memcmp(octets, large + at, length) == 0);
        mailcore_free(octets);
    }
    CHECK(at == large_length);
    free(large);
    CHECK(mailcore_email_read(store, "an@example.test", "INBOX", 3, 0, &octets, &length, &last, NULL) ==
          MAILCORE_NOT_FOUND);
    CHECK(mailcore_email_read(store, "an@example.test", "nowhere", 1, 0, &octets, &length, &last, NULL) ==
          MAILCORE_NOT_FOUND);
    CHECK(mailcore_email_add(store, "{\"address\": \"an@example.test\", \"mailbox\": \"INBOX\", \"emails\": []}",
                             letter, sizeof letter - 1, &answer, NULL) == MAILCORE_REJECTED);
    CHECK(mailcore_email_add(store, "{}", NULL, 1, &answer, NULL) == MAILCORE_REJECTED);
    CHECK(mailcore_server_free(store) == MAILCORE_OK);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK(system(command) == 0);
    CHECK(mailcore_store_open(folder, &store, NULL) == MAILCORE_NOT_FOUND);
}

static void parts(void) {
    static const char request[] = "{\"rule\": \"mail.on('headers', function(ctx) return mail.reject('no') end)\"}";
    static const char message[] = "From: jo@example.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nhello\n";
    char *why = NULL, *answer = NULL;
    MUST(mailcore_rule_check(request, &answer, &why));
    CHECK(strcmp(answer, "{\"problems\":[]}") == 0);
    mailcore_free(answer);
    MUST(mailcore_rule_check("{\"rule\": \"x = = 1\", \"name\": \"bad.lua\"}", &answer, &why));
    CHECK(strstr(answer, "bad.lua:1:") != NULL);
    mailcore_free(answer);
    MUST(mailcore_rule_try(request, message, strlen(message), &answer, &why));
    CHECK(strstr(answer, "\"verdict\":\"reject\"") != NULL);
    mailcore_free(answer);
    MUST(mailcore_mime_json(message, strlen(message), 100, &answer, &why));
    CHECK(strstr(answer, "\"subject\":\"Gr\xc3\xbc\xc3\x9f" "e\"") != NULL);
    CHECK(strstr(answer, "\"text\":\"hello\\n\"") != NULL);
    mailcore_free(answer);
}

int main(void) {
    char *why = NULL;
    CHECK(strlen(mailcore_version()) > 0);
    CHECK(mailcore_abi_version() == MAILCORE_ABI_VERSION);
    MUST(mailcore_check_abi(MAILCORE_ABI_VERSION, &why));
    CHECK(mailcore_check_abi(MAILCORE_ABI_VERSION + 1, &why) == MAILCORE_REJECTED && why != NULL);
    mailcore_free(why);
    mailcore_free(NULL);
    smtp_server();
    whole_server();
    store();
    parts();
    puts("all of mailcore.h works from C");
    return 0;
}
