// The few rules that a kind adds to the generic operations, as one table.
#pragma once

#include <skiff/api/kind.h>
#include <skiff/api/outcome.h>
#include <skiff/codec/json.h>

#include <string_view>

#include "registry/plan_delete.h"
#include "registry/plan_update.h"

namespace skiff::registry {

struct Strategy {
  std::string_view group, resource;  // of storage
  UpdateRules rules;
  // PUT and apply without a resourceVersion overwrite whatever is there.
  bool unconditional_update = true;
  // PUT creates what is not there.
  bool create_on_update = false;
  bool is_namespace = false;
  // Admission fills in fields, which are nobody's then: managers have what was asked for.
  bool is_completed = false;
  bool is_service = false;  // addresses and ports come from the allocators
  // A delete that ends the object answers with it instead of a Status.
  bool returns_deleted = false;
  GracePeriod grace = nullptr;
  // After the generic rules; null for kinds without any.
  void (*prepare_create)(codec::Json& object) = nullptr;
  void (*prepare_update)(std::string_view subresource, codec::Json& object,
                         const codec::Json& live) = nullptr;
};

// Kinds without a row of their own get the generic rules.
const Strategy& strategy_of(const api::ResourceInfo& resource);

// strategies/*.cpp
void prepare_pod_create(codec::Json& pod);
void prepare_pod_update(std::string_view subresource, codec::Json& pod, const codec::Json& live);
void prepare_namespace_create(codec::Json& object);
void prepare_namespace_update(std::string_view subresource, codec::Json& object,
                              const codec::Json& live);
void prepare_service_create(codec::Json& service);
void prepare_service_update(std::string_view subresource, codec::Json& service,
                            const codec::Json& live);
void prepare_secret_create(codec::Json& secret);
void prepare_secret_update(std::string_view subresource, codec::Json& secret,
                           const codec::Json& live);
void prepare_signing_request_create(codec::Json& request);
void prepare_signing_request_update(std::string_view subresource, codec::Json& request,
                                    const codec::Json& live);
void prepare_replica_set_create(codec::Json& object);
void prepare_deployment_create(codec::Json& object);

// "Guaranteed", "Burstable" or "BestEffort".
std::string_view pod_qos_class(const codec::Json& pod);

// core/v1 Event and events.k8s.io/v1 Event, in both directions.
codec::Json event_to_events_group(const codec::Json& core_event);
codec::Json event_to_core(const codec::Json& events_group_event);

// Writes spec.replicas of a Scale into its object.
api::Outcome<codec::Json> apply_scale(const codec::Json& live, const codec::Json& scale);

}  // namespace skiff::registry
