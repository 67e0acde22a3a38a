#include "libmailcore/mime/subject.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/mime/encoded_word.h"

namespace mailcore::mime {

namespace {

// The names below are those of the grammar in RFC 5256 §5.

std::string_view trim_blanks_left(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    return text;
}

// Octets of a subj-blob at the front: "[" *BLOBCHAR "]" *WSP; 0 if there is none.
std::size_t blob_octets(std::string_view text) {
    if (!text.starts_with('[')) return 0;
    const auto end = text.find_first_of("[]", 1);
    if (end == std::string_view::npos || text[end] != ']') return 0;
    return text.size() - trim_blanks_left(text.substr(end + 1)).size();
}

// Octets of a subj-refwd at the front: ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"; 0 if there is
// none.
std::size_t refwd_octets(std::string_view text) {
    std::size_t at = 0;
    if (codec::starts_with_ignoring_case(text, "re"))
        at = 2;
    else if (codec::starts_with_ignoring_case(text, "fwd"))
        at = 3;
    else if (codec::starts_with_ignoring_case(text, "fw"))
        at = 2;
    else
        return 0;
    at = text.size() - trim_blanks_left(text.substr(at)).size();
    at += blob_octets(text.substr(at));
    return at < text.size() && text[at] == ':' ? at + 1 : 0;
}

std::string collapsed(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text)
        if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
    return out;
}

} // namespace

BaseSubject base_subject(std::string_view value) {
    BaseSubject out;
    const auto decoded =
        collapsed(decode_encoded_words(value)); // control characters are spaces by now
    std::string_view text = decoded;
    for (;;) {
        for (;;) { // (2) subj-trailer
            while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
            if (!codec::ends_with_ignoring_case(text, "(fwd)")) break;
            text.remove_suffix(5);
            out.reply_or_forward = true;
        }
        for (;;) { // (3) subj-leader and (4) subj-blob, (5) until neither is there
            text = trim_blanks_left(text);
            std::size_t blobs = 0;
            std::size_t last_blob = 0;
            while (const auto octets = blob_octets(text.substr(blobs))) {
                last_blob = blobs;
                blobs += octets;
            }
            if (const auto octets = refwd_octets(text.substr(blobs))) {
                text.remove_prefix(blobs + octets);
                out.reply_or_forward = true;
                continue;
            }
            // A blob goes only if something is left.
            text.remove_prefix(blobs < text.size() ? blobs : last_blob);
            break;
        }
        // (6) subj-fwd
        if (!codec::starts_with_ignoring_case(text, "[fwd:") || !text.ends_with(']')) break;
        text.remove_prefix(5);
        text.remove_suffix(1);
        out.reply_or_forward = true;
    }
    out.text = text;
    return out;
}

} // namespace mailcore::mime
