// One function per verb and subresource; each in its own file.
#pragma once

#include "apiserver/body.h"
#include "apiserver/context.h"
#include "apiserver/respond.h"

namespace skiff::apiserver {

base::Task<ResponseOutcome> handle_get(RequestContext& context);
base::Task<ResponseOutcome> handle_list(RequestContext& context);
base::Task<ResponseOutcome> handle_watch(RequestContext& context);
base::Task<ResponseOutcome> handle_create(RequestContext& context);
base::Task<ResponseOutcome> handle_update(RequestContext& context);
base::Task<ResponseOutcome> handle_patch(RequestContext& context);
base::Task<ResponseOutcome> handle_delete(RequestContext& context);
base::Task<ResponseOutcome> handle_delete_collection(RequestContext& context);
// Subresources that are actions.
base::Task<ResponseOutcome> handle_binding(RequestContext& context);
// POST to bindings itself: the pod is the one that the binding is named after.
base::Task<ResponseOutcome> handle_legacy_binding(RequestContext& context);
base::Task<ResponseOutcome> handle_eviction(RequestContext& context);
base::Task<ResponseOutcome> handle_token_request(RequestContext& context);
// Kinds that are questions: nothing is stored, the answer is the object with its status.
base::Task<ResponseOutcome> handle_review(RequestContext& context);
// Streams to nodes.
base::Task<ResponseOutcome> handle_logs(RequestContext& context);
base::Task<ResponseOutcome> handle_exec(RequestContext& context);
base::Task<ResponseOutcome> handle_port_forward(RequestContext& context);
base::Task<ResponseOutcome> handle_proxy(RequestContext& context);
// The sessions of a node on its connection: control and streams.
base::Task<ResponseOutcome> handle_node_session(RequestContext& context);
// Documents: /api, /apis, /openapi, /version, health and metrics; 404 for all else.
base::Task<ResponseOutcome> handle_path(RequestContext& context);

// The operations behind the verbs, for handlers and the in-process client. `object` is checked.
base::Task<api::Outcome<registry::Written>> create_object(RequestContext& context,
                                                          codec::Json object,
                                                          WriteParameters parameters);
base::Task<api::Outcome<registry::Written>> update_object(RequestContext& context,
                                                          codec::Json object,
                                                          WriteParameters parameters);
enum class PatchKind : unsigned char { json, merge, strategic, apply };
base::Task<api::Outcome<registry::Written>> patch_object(RequestContext& context, PatchKind kind,
                                                         codec::Json patch,
                                                         WriteParameters parameters,
                                                         std::vector<std::string> notes = {});
base::Task<api::Outcome<registry::Deleted>> delete_object(RequestContext& context,
                                                          registry::DeleteOptions options);
base::Task<api::Outcome<codec::Json>> request_token(RequestContext& context, codec::Json request);
base::Task<api::Outcome<>> bind_pod(RequestContext& context, codec::Json binding, bool dry_run);

using Review = api::Outcome<codec::Json> (*)(RequestContext& context, codec::Json review);
api::Outcome<codec::Json> review_token(RequestContext& context, codec::Json review);
// authentication.k8s.io UserInfo.
codec::Json user_info(const auth::User& user);
// How the request's resource is answered; null for resources that are stored.
Review find_review(const RequestInfo& info);

// The type of the bodies that the request's resource or subresource takes.
const api::TypeInfo* body_type(const RequestInfo& info);

// An answer with what was written, in the form that the client accepts.
api::Outcome<http::Response> written_response(const RequestContext& context, int status,
                                              const registry::Written& written);

// IncludeObject of a table request.
api::Outcome<int> include_object_of(const RequestContext& context);

}  // namespace skiff::apiserver
