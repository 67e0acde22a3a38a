#include "libmailcore/imap/response/writer.h"

namespace mailcore::imap {
namespace {

class BodyWriter {
  public:
    BodyWriter(const mime::Structure& structure, BodyExtensions extensions, ResponseWriter& out)
        : structure_(structure), extensions_(extensions == BodyExtensions::Yes), out_(out) {}

    // body = "(" (body-type-1part / body-type-mpart) ")". Recurses as deep as mime has parsed.
    void write(const mime::Part& part) {
        out_.raw("(");
        if (part.kind == mime::Part::Kind::Multipart)
            multipart(part);
        else
            single(part);
        out_.raw(")");
    }

  private:
    // body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
    void multipart(const mime::Part& part) {
        for (auto child = part.first_child; child != mime::no_part;
             child = structure_.parts[child].next_sibling)
            write(structure_.parts[child]);
        out_.raw(" ").string(part.subtype);
        if (!extensions_) return;
        // body-ext-mpart = body-fld-param [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc ...
        out_.raw(" ");
        parameters(part.parameters);
        common_extensions(part);
    }

    // body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
    void single(const mime::Part& part) {
        const bool message = part.kind == mime::Part::Kind::Message;
        // What calls itself a multipart or a message but could not be opened must not be described
        // as one: the grammar has children, or an envelope, behind those names.
        const bool unopened =
            !message && (part.type == "multipart" || part.is("message", "rfc822") ||
                         part.is("message", "global"));
        if (unopened)
            out_.raw("\"application\" \"octet-stream\"");
        else
            out_.string(part.type).raw(" ").string(part.subtype);
        // body-fields = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP
        // body-fld-octets
        out_.raw(" ");
        parameters(part.parameters);
        out_.raw(" ").nstring(part.id).raw(" ").nstring(part.description);
        const auto encoding = part.encoding_text.value_or("");
        out_.raw(" ")
            .string(encoding.empty() ? "7bit" : encoding)
            .raw(" ")
            .number(part.body_octets());
        if (message) {
            // body-type-msg = media-message SP body-fields SP envelope SP body SP body-fld-lines
            const auto& inner = structure_.parts[part.first_child];
            out_.raw(" ");
            write_envelope(*inner.envelope, out_);
            out_.raw(" ");
            write(inner);
            out_.raw(" ").number(part.body_lines);
        } else if (part.type == "text") {
            out_.raw(" ").number(part.body_lines);
        }
        if (!extensions_) return;
        // body-ext-1part = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc ...
        out_.raw(" ").nstring(part.md5);
        common_extensions(part);
    }

    // SP body-fld-dsp SP body-fld-lang SP body-fld-loc
    void common_extensions(const mime::Part& part) {
        if (part.disposition) {
            out_.raw(" (").string(*part.disposition).raw(" ");
            parameters(part.disposition_parameters);
            out_.raw(")");
        } else {
            out_.raw(" NIL");
        }
        out_.raw(" ");
        languages(part.languages);
        out_.raw(" ").nstring(part.location);
    }

    // body-fld-param = "(" string SP string *(SP string SP string) ")" / nil
    void parameters(std::span<const mime::ParameterView> parameters) {
        if (parameters.empty()) {
            out_.raw("NIL");
            return;
        }
        const char* separator = "(";
        for (const auto& parameter : parameters) {
            out_.raw(separator).string(parameter.name).raw(" ").string(parameter.value);
            separator = " ";
        }
        out_.raw(")");
    }

    // body-fld-lang = nstring / "(" string *(SP string) ")"
    void languages(std::span<const std::string_view> languages) {
        if (languages.size() <= 1) {
            out_.nstring(languages.empty() ? std::nullopt : std::optional(languages.front()));
            return;
        }
        const char* separator = "(";
        for (const auto language : languages) {
            out_.raw(separator).string(language);
            separator = " ";
        }
        out_.raw(")");
    }

    const mime::Structure& structure_;
    const bool extensions_;
    ResponseWriter& out_;
};

} // namespace

void write_body_structure(const mime::Structure& structure, BodyExtensions extensions,
                          ResponseWriter& out) {
    BodyWriter(structure, extensions, out).write(structure.message());
}

} // namespace mailcore::imap
