// The file mdserver.toml: every key with its meaning, unit and default, read strictly.
#pragma once

#include "libmailcore/server/config.h"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::server {

/// A mistake in the file: where, and what was expected.
struct ConfigError {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string text;

    /// "mdserver.toml:12:8: smtp.recipients_max: expected a whole number"
    [[nodiscard]] std::string to_string(std::string_view file) const;
};

/// Reads the text of mdserver.toml. Unknown keys, wrong types and values out of range are mistakes:
/// the first one is told.
[[nodiscard]] std::expected<Config, ConfigError> parse_config(std::string_view text);

/// One key, for manuals.
struct KeyFacts {
    std::string section;
    std::string key;
    std::string type;          ///< "text", "whole number", "seconds" ...
    std::string default_value; ///< as written in the file
    std::string meaning;
};
[[nodiscard]] std::vector<KeyFacts> config_keys();

/// A file with every key explained; those with a default stand there as comments. `values` replaces
/// keys:
/// {"server.hostname", "\"mx.example.test\""}; `listen` and `certificates` come from `config`.
[[nodiscard]] std::string documented_config(const Config& config);
/// The reference in Markdown.
[[nodiscard]] std::string config_manual();

} // namespace mailcore::server
