// More is warm by day: the office hours of a region's tenants, Monday to Friday.
{
  // from, to  hours in UTC; an evening behind midnight UTC is the next day's morning
  // least     by function: how many are warm by { day, night }
  office(from, to, least):: {
    local evening = if to > from then 'MON-FRI' else 'TUE-SAT',
    concurrency+: {
      [name]+: {
        // The ceiling stays that of the size.
        local max = super.provisioned_max,
        schedule: {
          day: { cron: '0 %d ? * MON-FRI *' % from, min: least[name].day, max: max },
          night: { cron: '0 %d ? * %s *' % [to, evening], min: least[name].night, max: max },
        },
      }
      for name in std.objectFields(least)
    },
  },
}
