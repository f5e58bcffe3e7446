// A region on one machine, by `prism up`: every region of the machine is of this environment. What stands in platform/functions.json holds
// where nothing else is said here; a variable in the environment of `prism up` goes over both.
{
  environment: 'local',
  regions: {
    'local': {
      settings: {
        // Summed up, since a line an event would cost the region as much as the event.
        common: { metrics_interval_ms: 10000, traces_interval_ms: 1000, cors_origins: '*' },
      },
    },
  },
}
