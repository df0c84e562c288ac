// When certificates are renewed. Pure.
#pragma once

#include <skiff/base/clock.h>
#include <skiff/pki/certificate.h>

#include <vector>

namespace skiff::app {

// How long until the first of them is due, zero or less when one is: at two thirds of its life, a
// little earlier by `unit` (0 to 1) so that nodes that joined together do not come together.
// Certificates of the future are not due.
base::Duration until_renewal(const std::vector<pki::CertificateInfo>& certificates,
                             base::WallTime now, double unit);

}  // namespace skiff::app
