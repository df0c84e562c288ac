// As src/precompiled.h, and Catch2: a compiler takes one such file.
#include "../src/precompiled.h"

#include <catch2/catch.hpp>
