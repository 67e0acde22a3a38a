// DATA (RFC 5321 §4.1.1.4).
#include "libmailcore/smtp/server_engine.h"

namespace mailcore::smtp {

void ServerEngine::data(std::string_view arguments) {
    if (!arguments.empty())
        return bad_command({501, EnhancedStatus{5, 5, 4}, "DATA takes no argument"});
    // RFC 3030 §3
    if (body_type_ == BodyType::BinaryMime)
        return bad_command({503, EnhancedStatus{5, 5, 1}, "BODY=BINARYMIME needs BDAT"});
    const auto id = begin(Doing::BodyBegin);
    body_ = std::make_unique<Body>(Body{.id = id, .reader = detail::BodyReader(body_limits())});
    events_.push_back(BodyBegin{id, std::nullopt});
}

} // namespace mailcore::smtp
