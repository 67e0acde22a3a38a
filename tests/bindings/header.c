// The header alone, as strict C11.
#include "mailcore.h"

mailcore_smtp_options smtp_options = MAILCORE_SMTP_OPTIONS_INIT;
mailcore_server_options server_options = MAILCORE_SERVER_OPTIONS_INIT;
mailcore_verdict verdict = MAILCORE_VERDICT_INIT;
