// Catch2, version 2 or 3, and where tests find what lies beside the project.
#pragma once

#ifdef MAILCORE_CATCH2_V3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
