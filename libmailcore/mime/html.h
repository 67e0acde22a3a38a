// HTML as the plain text in it, for previews, search and text alternatives; not for display as
// HTML.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mailcore::mime {

/// Turns HTML (UTF-8) into text, cut anywhere. Never fails. Tags, comments, <head>, <script>,
/// <style> and the like go; character references are decoded; white space is collapsed, block
/// elements and <br> begin new lines. Memory: a tag's name or a character reference.
class HtmlText {
  public:
    void decode(std::string_view html, std::string& into);
    void finish(std::string& into);

  private:
    enum class State : std::uint8_t {
        Text,
        Reference,
        TagOpen,
        TagName,
        Tag,
        DoubleQuoted,
        SingleQuoted,
        MarkupOpen,
        MarkupDash,
        Markup,
        Comment,
        CommentDash,
        CommentDashDash,
    };
    void step(char c, std::string& into);
    void character(char c, std::string& into);
    void end_of_reference(std::string& into);
    void end_of_tag();
    void put(std::string_view text, std::string& into);
    void new_line();

    State state_ = State::Text;
    std::string token_;  // name of the tag or reference under way, bounded
    std::string hidden_; // name of the element whose content is not shown; empty: shown
    bool space_ = false;
    std::uint8_t lines_ = 0; // line ends due before the next character
    bool any_ = false;       // something was written
    bool preformatted_ = false;
};

} // namespace mailcore::mime
