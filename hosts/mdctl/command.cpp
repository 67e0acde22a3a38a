#include "command.h"

#include "libmailcore/base/file.h"
#include "libmailcore/codec/number.h"

#include <cstdio>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

namespace mdctl {

std::uint64_t Arguments::number(const std::string& name) const {
    const auto text = value(name, "0");
    const auto number = mailcore::codec::parse_u64(text);
    if (!number) stop(name + ": expected a whole number, not " + text, 2);
    return *number;
}

void print_json(const Json& json) {
    fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

namespace {

std::string prompt_password() {
    if (!isatty(STDIN_FILENO))
        stop("no terminal to ask for a password: use --password-file FILE (- for standard input)",
             2);
    const auto ask_once = [](const char* text) {
        termios old{};
        tcgetattr(STDIN_FILENO, &old);
        auto silent = old;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
        fmt::print(stderr, "{}", text);
        std::string line;
        for (int c; (c = std::getchar()) != EOF && c != '\n';) line += static_cast<char>(c);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fmt::print(stderr, "\n");
        return line;
    };
    auto password = ask_once("Password: ");
    if (password != ask_once("Again: ")) stop("the two are not the same", 2);
    return password;
}

} // namespace

std::string read_password(const Arguments& arguments) {
    const auto path = arguments.value("password-file");
    if (path.empty()) return prompt_password();
    mailcore::base::PosixFileSystem files;
    auto text = mailcore::base::read_file(files, path == "-" ? "/dev/stdin" : path, 4096);
    if (!text) stop(text.error().detail, 2);
    while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
    return *text;
}

int done(const Call& call, const Json& answer, const std::string& said) {
    if (call.json)
        print_json(answer);
    else
        fmt::print("{}\n", said);
    return 0;
}

std::string text(const Json& row, const char* field) {
    const auto& value = row.at(field);
    return value.is_string() ? value.get<std::string>() : value.dump();
}

} // namespace mdctl
