// broker/http/api.hpp
//
// The control interface as a handler for HttpServer: from method and path to one of the routes.
//
// Edge. Lives on shard 0. Control must outlive the handler.
#pragma once

#include "broker/http/control.hpp"
#include "broker/http/http_message.hpp"
#include "broker/http/routes.hpp"

namespace naru::broker {

Handler make_api(Control& control);

// Which route a request belongs to. Without one, either there is no such path (allow is empty) or
// not with this method (allow says with which).
struct RouteChoice {
  Answer (*route)(Call) = nullptr;
  Bytes allow;
};
RouteChoice choose_route(BytesView method, const std::vector<Bytes>& path);

}  // namespace naru::broker
