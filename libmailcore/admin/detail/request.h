// Reading a request's fields, strictly.
#pragma once

#include "libmailcore/base/result.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mailcore::admin::detail {

using Json = nlohmann::json;

/// A request whose fields are taken one by one; what is wrong or left over is told by `finish`.
class Request {
  public:
    explicit Request(const std::string& text)
        : Request(Json::parse(text.empty() ? "{}" : text, nullptr, false), Parsed{}) {}
    /// One of a request's `objects`.
    [[nodiscard]] static Request of(Json object) { return {std::move(object), Parsed{}}; }
    std::string text(const std::string& name) {
        return take<std::string>(name, "a text").value_or("");
    }
    std::string text_or(const std::string& name, std::string fallback) {
        return json_.is_object() && json_.contains(name)
                   ? text(name)
                   : std::move((known_.insert(name), fallback));
    }
    std::uint64_t number_or(const std::string& name, std::uint64_t fallback) {
        if (!json_.is_object() || !json_.contains(name)) {
            known_.insert(name);
            return fallback;
        }
        if (!json_[name].is_number_unsigned()) {
            wrong(name + ": expected a whole number");
            return fallback;
        }
        return take<std::uint64_t>(name, "a whole number").value_or(fallback);
    }
    bool flag(const std::string& name) {
        if (!json_.is_object() || !json_.contains(name)) {
            known_.insert(name);
            return false;
        }
        if (!json_[name].is_boolean()) {
            wrong(name + ": expected true or false");
            return false;
        }
        return take<bool>(name, "true or false").value_or(false);
    }
    std::vector<std::string> texts(const std::string& name) {
        std::vector<std::string> list;
        known_.insert(name);
        if (!json_.is_object() || !json_.contains(name) || !json_[name].is_array()) {
            wrong(name + ": expected a list of texts");
            return list;
        }
        for (const auto& each : json_[name]) {
            if (!each.is_string()) {
                wrong(name + ": expected a list of texts");
                break;
            }
            list.push_back(each.get<std::string>());
        }
        return list;
    }
    /// At most `count_max` whole numbers.
    std::vector<std::uint64_t> numbers(const std::string& name, std::size_t count_max) {
        std::vector<std::uint64_t> list;
        for (const auto& each : array(name, "a list of whole numbers", count_max)) {
            if (!each.is_number_unsigned()) {
                wrong(name + ": expected a list of whole numbers");
                break;
            }
            list.push_back(each.get<std::uint64_t>());
        }
        return list;
    }
    /// At most `count_max` objects, each for a Request of its own.
    std::vector<Json> objects(const std::string& name, std::size_t count_max) {
        std::vector<Json> list;
        for (auto& each : array(name, "a list of objects", count_max)) {
            if (!each.is_object()) {
                wrong(name + ": expected a list of objects");
                break;
            }
            list.push_back(std::move(each));
        }
        return list;
    }
    [[nodiscard]] bool has(const std::string& name) const {
        return json_.is_object() && json_.contains(name);
    }

    /// What was wrong, if anything.
    [[nodiscard]] std::optional<Error> finish() {
        if (problem_.empty())
            for (const auto& [name, value] : json_.items())
                if (!known_.contains(name)) wrong(name + ": no such field");
        if (problem_.empty()) return std::nullopt;
        return Error{ErrorKind::Rejected, problem_};
    }

  private:
    struct Parsed {};
    Request(Json json, Parsed) : json_(std::move(json)) {
        if (!json_.is_object()) wrong("the request is no JSON object");
    }
    Json array(const std::string& name, const char* expected, std::size_t count_max) {
        known_.insert(name);
        if (!json_.is_object() || !json_.contains(name) || !json_[name].is_array()) {
            wrong(name + ": expected " + expected);
            return Json::array();
        }
        auto list = std::exchange(json_[name], Json());
        if (list.size() <= count_max) return list;
        wrong(name + ": at most " + std::to_string(count_max) + " at a time");
        return Json::array();
    }
    template <class T>
    std::optional<T> take(const std::string& name, const char* expected) {
        known_.insert(name);
        if (!json_.is_object() || !json_.contains(name)) {
            wrong(name + ": missing");
            return std::nullopt;
        }
        const auto& value = json_[name];
        if constexpr (std::is_same_v<T, std::string>) {
            if (!value.is_string()) {
                wrong(name + ": expected " + expected);
                return std::nullopt;
            }
        }
        return value.get<T>();
    }
    void wrong(std::string text) {
        if (problem_.empty()) problem_ = std::move(text);
    }
    Json json_;
    std::set<std::string> known_;
    std::string problem_;
};

/// JSON text of an answer; octets that are not UTF-8 are replaced.
[[nodiscard]] inline std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace mailcore::admin::detail
