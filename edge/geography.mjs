// geography.mjs - which region is near. Lambda@Edge runs in one of AWS's regions and says which in AWS_REGION; distance on the globe is a good
// enough guess at latency to order a handful of regions by.
//
// Degrees north and east of the place that each region is named after.
const PLACES = {
  'af-south-1': [-34, 18],
  'ap-east-1': [22, 114],
  'ap-east-2': [25, 121],
  'ap-northeast-1': [36, 140],
  'ap-northeast-2': [38, 127],
  'ap-northeast-3': [35, 135],
  'ap-south-1': [19, 73],
  'ap-south-2': [17, 78],
  'ap-southeast-1': [1, 104],
  'ap-southeast-2': [-34, 151],
  'ap-southeast-3': [-6, 107],
  'ap-southeast-4': [-38, 145],
  'ap-southeast-5': [3, 102],
  'ap-southeast-6': [-37, 175],
  'ap-southeast-7': [14, 101],
  'ca-central-1': [45, -74],
  'ca-west-1': [51, -114],
  'eu-central-1': [50, 9],
  'eu-central-2': [47, 9],
  'eu-north-1': [59, 18],
  'eu-south-1': [45, 9],
  'eu-south-2': [42, -1],
  'eu-west-1': [53, -6],
  'eu-west-2': [52, 0],
  'eu-west-3': [49, 2],
  'il-central-1': [32, 35],
  'me-central-1': [24, 54],
  'me-south-1': [26, 51],
  'mx-central-1': [21, -100],
  'sa-east-1': [-24, -47],
  'us-east-1': [39, -77],
  'us-east-2': [40, -83],
  'us-west-1': [37, -122],
  'us-west-2': [46, -120],
};

const radians = (degrees) => (degrees * Math.PI) / 180;

// Monotonic in the distance: the haversine without its root and its arcsine.
function apart([north1, east1], [north2, east2]) {
  const dn = Math.sin(radians(north2 - north1) / 2);
  const de = Math.sin(radians(east2 - east1) / 2);
  return dn * dn + Math.cos(radians(north1)) * Math.cos(radians(north2)) * de * de;
}

// Regions in order of their distance from `here`; those whose place is unknown come last, and the order is kept where nothing is known.
export function nearestFirst(here, regions) {
  const from = PLACES[here];
  const distance = (region) => {
    if (region === here) return -1;
    const to = PLACES[region];
    return from && to ? apart(from, to) : 2;
  };
  return [...regions].sort((a, b) => distance(a) - distance(b));
}

export const knownRegions = Object.keys(PLACES);
