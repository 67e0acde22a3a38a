// libmailcore for C, and for every language that can call C: an SMTP server with a handler, the
// whole server, its store, rules to try, and the MIME parser. Standards: those of libmailcore.
//
// What holds for every function
//
// Errors: functions that can fail return a mailcore_status. Their last parameter, `why`, may be
// NULL; else *why becomes NULL, or on failure a line of UTF-8 for people, to be freed with
// mailcore_free. Other outputs are set to NULL or 0 on failure. No C++ exception leaves the
// library; MAILCORE_NO_MEMORY is one of the answers.
// Memory: what a function hands out through `char **` is the caller's, to be freed with
// mailcore_free and nothing else. What it is given it copies before it returns. What a callback is
// given belongs to the library and is valid until the callback returns.
// Texts are UTF-8 and end in NUL; lengths do not count it. Messages are octets with a length: they
// may hold NUL. Requests, answers and events are JSON objects.
// Structs begin with `size`, which the caller sets to sizeof (the MAILCORE_..._INIT macros do). A
// field that is 0 or NULL means its default. Programs built against an older header keep working;
// one built against a newer header works as long as it leaves alone what the library does not know
// (else MAILCORE_REJECTED).
// Threads: any thread may call any function at any time, with two exceptions. A handle may be
// freed once nobody else uses it any more. And from inside a callback only functions that say so
// may be called: others, which would wait for the very thread they are on, answer
// MAILCORE_REJECTED. Callbacks run on threads of the library, in which all signals are blocked.
// Processes: there are no process-wide settings, signal handlers or atexit functions. After fork
// the child has no threads of the library: it may only exec or _exit.
#ifndef MAILCORE_H
#define MAILCORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define MAILCORE_NOEXCEPT noexcept
extern "C" {
#else
#define MAILCORE_NOEXCEPT
#endif
#if defined(__GNUC__)
#define MAILCORE_API __attribute__((visibility("default")))
#define MAILCORE_CHECKED __attribute__((warn_unused_result))
#else
#define MAILCORE_API
#define MAILCORE_CHECKED
#endif

/// The promises of this header. Functions and fields are added without changing it; it changes, and
/// the library's SONAME with it, when a program that was built against an older one would break.
#define MAILCORE_ABI_VERSION 0

/// What the caller should do about a failure.
typedef enum mailcore_status {
    MAILCORE_OK = 0,
    MAILCORE_REJECTED = 1,       ///< refused for good: the request or an argument is wrong
    MAILCORE_UNAVAILABLE = 2,    ///< not now: try again later
    MAILCORE_NOT_FOUND = 3,      ///< what was named does not exist
    MAILCORE_CONFLICT = 4,       ///< exists already, is in use, or somebody else was first
    MAILCORE_LIMIT_EXCEEDED = 5, ///< a stated limit (quota, size, count) is reached
    MAILCORE_CORRUPT = 6,        ///< stored or received data contradicts itself
    MAILCORE_NO_MEMORY = 7,
    MAILCORE_FAULT = 8 ///< an error inside the library: please report `why`
} mailcore_status;

// The library itself. All of these: inside callbacks too.

/// "0.1.0": the release that runs. Static; not to be freed. Never NULL.
MAILCORE_API const char *mailcore_version(void) MAILCORE_NOEXCEPT;
/// MAILCORE_ABI_VERSION of the library that runs.
MAILCORE_API uint32_t mailcore_abi_version(void) MAILCORE_NOEXCEPT;
/// Whether a program built with `abi` (its MAILCORE_ABI_VERSION) can use this library. REJECTED: no.
MAILCORE_API MAILCORE_CHECKED mailcore_status mailcore_check_abi(uint32_t abi,
                                                                 char **why) MAILCORE_NOEXCEPT;
/// "not found" and so on, "unknown" for what is no status. Static; not to be freed.
MAILCORE_API const char *mailcore_status_name(mailcore_status status) MAILCORE_NOEXCEPT;
/// Frees what a function handed out. NULL is allowed.
MAILCORE_API void mailcore_free(void *memory) MAILCORE_NOEXCEPT;

// An SMTP server with a handler: takes mail for anybody, without TLS and AUTH; what becomes of it
// is the handler's business. (The server further below has accounts, TLS, IMAP and all.)

typedef struct mailcore_smtp_server mailcore_smtp_server;

/// Told of each message. `envelope`: {"sender": "a@example.org" (empty: the null path),
/// "recipients": ["b@example.net"], "helo": "client.example", "peer": {"address": "192.0.2.1",
/// "port": 40000}, "size": 1234}. `octets`: header and body with CRLF line ends; not NULL, not
/// ended by NUL.
///
/// The peer waits until mailcore_smtp_reply is called with this `token`, here or later, on any
/// thread; other peers are served meanwhile, but not while this callback runs: what takes long
/// belongs on another thread. Called on the server's thread, one call at a time. Must neither throw
/// nor longjmp.
typedef void (*mailcore_message_fn)(void *context, uint64_t token, const char *envelope,
                                    const char *octets, size_t octets_length);

typedef struct mailcore_smtp_options {
    size_t size;
    const char *address; ///< IPv4 or IPv6 address to listen on; NULL: "127.0.0.1"
    const char *hostname; ///< in greeting and EHLO; NULL: "localhost"
    uint64_t message_octets_max; ///< larger messages are refused (552); 0: the engine's default
    uint32_t recipients_max; ///< of one message; more are told 452; 0: the engine's default
    uint32_t answer_milliseconds; ///< how long a token waits; then 451; 0: five minutes
    uint32_t drain_milliseconds; ///< how long stopping waits for open messages; 0: a second
    uint16_t port; ///< 0: any free one, told by mailcore_smtp_port
} mailcore_smtp_options;
#define MAILCORE_SMTP_OPTIONS_INIT { sizeof(mailcore_smtp_options), 0, 0, 0, 0, 0, 0, 0 }

/// Listens and returns; *server is to be given to mailcore_smtp_free. `options` may be NULL.
/// `context` is handed to `on_message` and must live until mailcore_smtp_stop has returned. REJECTED:
/// an option is wrong. CONFLICT: the port is in use. Not inside a callback.
MAILCORE_API MAILCORE_CHECKED mailcore_status mailcore_smtp_start(
    const mailcore_smtp_options *options, mailcore_message_fn on_message, void *context,
    mailcore_smtp_server **server, char **why) MAILCORE_NOEXCEPT;
/// The port it listens on; 0 if `server` is NULL. Inside callbacks too.
MAILCORE_API uint16_t mailcore_smtp_port(const mailcore_smtp_server *server) MAILCORE_NOEXCEPT;

enum { MAILCORE_ACCEPT = 1, MAILCORE_REJECT = 2, MAILCORE_DEFER = 3 };

typedef struct mailcore_verdict {
    size_t size;
    int32_t action; ///< MAILCORE_ACCEPT, MAILCORE_REJECT or MAILCORE_DEFER
    int32_t code;   ///< 500 to 599 to reject, 400 to 499 to defer; 0: 550 and 451
    const char *enhanced; ///< "5.7.1", of the code's class (RFC 3463); NULL: "5.7.1" and "4.7.1"
    const char *text; ///< for the peer, printable; long ones become several lines; NULL: a usual one
} mailcore_verdict;
#define MAILCORE_VERDICT_INIT { sizeof(mailcore_verdict), 0, 0, 0, 0 }

/// Answers a message, once. NOT_FOUND: there is no such message, or no longer: it was answered, the
/// peer has gone, time is over, the server has stopped. REJECTED: the verdict makes no sense; the
/// peer is then told to try again later (451), and the message counts as answered. Inside callbacks
/// too.
MAILCORE_API MAILCORE_CHECKED mailcore_status
mailcore_smtp_reply(mailcore_smtp_server *server, uint64_t token, const mailcore_verdict *verdict,
                    char **why) MAILCORE_NOEXCEPT;
/// Takes no more, waits a little for open messages, ends all connections. No callback runs after
/// it has returned. The second call does nothing. REJECTED: inside a callback, or NULL.
MAILCORE_API mailcore_status mailcore_smtp_stop(mailcore_smtp_server *server,
                                                char **why) MAILCORE_NOEXCEPT;
/// Stops it if need be, and frees it. NULL is allowed. REJECTED, and nothing is done: inside a
/// callback.
MAILCORE_API mailcore_status mailcore_smtp_free(mailcore_smtp_server *server) MAILCORE_NOEXCEPT;

// The whole server, or its store alone.

typedef struct mailcore_server mailcore_server;

/// Told what happens. One call at a time for one server, on its threads. Must neither throw, wait
/// for the server, nor longjmp.
typedef void (*mailcore_event_fn)(void *context, const char *event);

typedef struct mailcore_server_options {
    size_t size;
    /// The text of a mdserver.toml; NULL: that of the file in `data`, or with `in_memory` a server
    /// named "localhost" that listens nowhere.
    const char *config;
    const char *data;  ///< the data folder, which exists; NULL is for `in_memory` only
    int32_t in_memory; ///< not 0: keeps nothing on disk and has no control socket
    /// Events as the log has them: {"time": "2026-01-31T12:00:00Z", "level": "info", "event":
    /// "queue.delivered", "trace": "0123456789abcdef", fields}. NULL: silent.
    mailcore_event_fn on_log;
    /// Changes of mailboxes, after they are durable: {"account": 7, "modseq": 123, "mailboxes": [1,
    /// 5]}. NULL: nobody wants to know.
    mailcore_event_fn on_change;
    void *context; ///< handed to both; lives until mailcore_server_stop has returned
} mailcore_server_options;
#define MAILCORE_SERVER_OPTIONS_INIT { sizeof(mailcore_server_options), 0, 0, 0, 0, 0, 0 }

/// Reads the settings and binds every endpoint; nothing else happens before mailcore_server_start,
/// so that a process may give up rights in between. *server is to be given to
/// mailcore_server_free. REJECTED: settings are wrong; `why` names line and column. NOT_FOUND: no
/// such folder or file. CONFLICT: a port is in use. Not inside a callback.
MAILCORE_API MAILCORE_CHECKED mailcore_status
mailcore_server_create(const mailcore_server_options *options, mailcore_server **server,
                       char **why) MAILCORE_NOEXCEPT;
/// Opens the store and serves. CONFLICT: another process has the store. Once: a server that has
/// stopped is not started again (REJECTED). Not inside a callback.
MAILCORE_API MAILCORE_CHECKED mailcore_status mailcore_server_start(mailcore_server *server,
                                                                    char **why) MAILCORE_NOEXCEPT;
/// A server that is only its store, started: no endpoints, no rules, and what is in the queue stays
/// there. `data` as above; NULL: an empty store in memory. For programs that read or fill
/// mailboxes. CONFLICT: another process has the store. Not inside a callback.
MAILCORE_API MAILCORE_CHECKED mailcore_status mailcore_store_open(const char *data,
                                                                  mailcore_server **store,
                                                                  char **why) MAILCORE_NOEXCEPT;
/// Where it listens: {"endpoints": [{"service": "smtp", "address": "127.0.0.1", "port": 2525,
/// "path": ""}]}. Inside callbacks too.
MAILCORE_API MAILCORE_CHECKED mailcore_status mailcore_server_endpoints(
    const mailcore_server *server, char **answer, char **why) MAILCORE_NOEXCEPT;
/// Asks for one operation and waits for its answer: all that mdctl can do, for instance
/// "account.add" with {"address": "jo@example.test", "password": "..."}, "account.list", "status",
/// "metrics", "queue.list"; {"operations": [...]} of "operations" lists them with their fields.
/// `request` may be NULL: no fields. At most 64 MiB. REJECTED: the fields are not those it wants,
/// or it may not be; NOT_FOUND: no such method, or what the request names is not there;
/// UNAVAILABLE: the server does not run, or ended meanwhile. Not inside a callback.
MAILCORE_API MAILCORE_CHECKED mailcore_status
mailcore_server_call(mailcore_server *server, const char *method, const char *request,
                     char **answer, char **why) MAILCORE_NOEXCEPT;
/// Octets of an email of a mailbox (its path, UTF-8, levels separated by "/"; INBOX in any case) from
/// `offset` on, about a mebibyte a call: go on at offset + *octets_length while *last is 0. *octets
/// is to be freed; it may hold NUL. NOT_FOUND: no such account, mailbox or email, or no longer.
/// CORRUPT: damaged on disk. What there is to read, "mailbox.list" and "email.list" of
/// mailcore_server_call tell. Not inside a callback.
MAILCORE_API MAILCORE_CHECKED mailcore_status
mailcore_email_read(mailcore_server *server, const char *address, const char *mailbox, uint32_t uid,
                    uint64_t offset, char **octets, size_t *octets_length, int32_t *last,
                    char **why) MAILCORE_NOEXCEPT;
/// Files an email. `request`: {"address", "mailbox", "received": "2003-07-01T10:52:37+02:00"
/// (optional), "flags": ["\\Seen", "work"] (optional)} and what else "email.add" of
/// mailcore_server_call has, but not its emails. `octets` may be NULL if the length is 0. *answer:
/// {"uid", "uidvalidity"}. NOT_FOUND: no such account or mailbox. LIMIT_EXCEEDED: its quota. At most
/// 16 emails of more than half a mebibyte may be on their way at a time. Not inside a callback.
MAILCORE_API MAILCORE_CHECKED mailcore_status
mailcore_email_add(mailcore_server *server, const char *request, const char *octets,
                   size_t octets_length, char **answer, char **why) MAILCORE_NOEXCEPT;
/// Applies other settings (the text of a mdserver.toml) to new connections; *answer is {"notes":
/// [...]}: what changes with the next start only. On failure the old settings stay in force. Not
/// inside a callback.
MAILCORE_API MAILCORE_CHECKED mailcore_status
mailcore_server_reload(mailcore_server *server, const char *config, char **answer,
                       char **why) MAILCORE_NOEXCEPT;
/// Takes no more connections, lets what is under way finish within `server.drain_time`, ends. No
/// callback runs after it has returned. The second call does nothing. REJECTED: inside a callback,
/// or NULL.
MAILCORE_API mailcore_status mailcore_server_stop(mailcore_server *server,
                                                  char **why) MAILCORE_NOEXCEPT;
/// Stops it if need be, and frees it. NULL is allowed. REJECTED, and nothing is done: inside a
/// callback.
MAILCORE_API mailcore_status mailcore_server_free(mailcore_server *server) MAILCORE_NOEXCEPT;

// Parts that work without a server. Inside callbacks too, except mailcore_rule_try.

/// Loads a rule. `request`: {"rule": its Lua text, "name": "10-spam.lua" (optional; errors name
/// it), "lists": {"words.txt": "..."} (optional; what mail.list finds)}. *answer: {"problems":
/// ["10-spam.lua:3: ..."]}, empty if it is in order. REJECTED: the request is wrong.
MAILCORE_API MAILCORE_CHECKED mailcore_status mailcore_rule_check(const char *request,
                                                                  char **answer,
                                                                  char **why) MAILCORE_NOEXCEPT;
/// What a rule would do to a message. `request` as above, and optional: "sender", "recipients"
/// (lists), "ip", "helo", "account", "records" (list: what the DNS says, "1.2.0.192.list.test A
/// 127.0.0.2"). *answer: {"steps": [{"rule", "stage", "verdict", "code", "enhanced", "text",
/// "error", "edits", "said", "instructions", "nanoseconds", ...}], "verdict", "header_changes",
/// "appended_text"}. `octets` may be NULL if the length is 0; LF is read as CRLF. REJECTED: the rule
/// or the request is wrong.
MAILCORE_API MAILCORE_CHECKED mailcore_status
mailcore_rule_try(const char *request, const char *octets, size_t octets_length, char **answer,
                  char **why) MAILCORE_NOEXCEPT;

/// A message as a tree of its parts. Any octets are a message. *answer: {"size", "lines",
/// "truncated", "subject", "date", "message_id", "in_reply_to", "references", "from", "sender",
/// "reply_to", "to", "cc", "bcc" (lists of {"name", "address"}), "preview", "has_attachment",
/// "part": {"number", "type", "charset", "encoding", "disposition", "file_name", "content_id",
/// "offset", "size" (octets of the body as it is in the message), "header": [{"name", "value"}],
/// "text" (decoded, of text parts), "parts": [...]}}. Encoded words are decoded.
/// `text_octets_max`: of all texts together; what is longer is cut; 0: none are given. `octets` may
/// be NULL if the length is 0.
MAILCORE_API MAILCORE_CHECKED mailcore_status
mailcore_mime_json(const char *octets, size_t octets_length, size_t text_octets_max, char **answer,
                   char **why) MAILCORE_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
