// What every environment of AWS is made of. An environment's own file gives the parameters; what follows from them (peers, copies, tags,
// names) is computed here, once. A file may go over any value behind the call: `base.environment(...) + { regions+: { 'eu-west-1'+: {...} } }`.
{
  // name, domain  of the environment
  // budget_usd    a month's ceiling
  // regions       by AWS name: { cidr, primary, secondary, standby, active }
  // region        settings of every region, over the variables' own defaults
  // copies        whether each region's buckets are copied to the next one
  environment(name, domain, budget_usd, regions, region={}, copies=true, owner='platform', cost_center='platform'):: {
    assert std.length(regions) > 0 : 'an environment has at least one region',

    local names = std.objectFields(regions),
    local settings = self.regions,

    // The one behind it in the order of names, the first behind the last: with two regions, the other.
    local next(own) = names[(std.find(own, names)[0] + 1) % std.length(names)],
    local others(own) = [other for other in names if other != own],

    environment: name,

    global: {
      owner: owner,
      cost_center: cost_center,
      domain: domain,
      regions: {
        [one]: { [role]: regions[one][role] for role in ['active', 'primary', 'secondary', 'standby'] if std.objectHas(regions[one], role) }
        for one in names
      },
      notification_emails: ['platform@prism.example'],
      budgets: { total: { limit_usd: budget_usd } },
    },

    regions: {
      [one]: {
        owner: owner,
        cost_center: cost_center,
        cidr: regions[one].cidr,
        shards: { 'shard-0': {} },

        // A tenant can move to any other region, and ranges differ, so that regions can be connected.
        peer_cidrs: { [other]: settings[other].cidr for other in others(one) },
        peer_shards: { [other]: std.objectFields(settings[other].shards) for other in others(one) },
        [if copies && std.length(names) > 1 then 'replica_region']: next(one),
      } + region
      for one in names
    },
  },
}
