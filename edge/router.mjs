// router.mjs - the edge router: CloudFront's Lambda@Edge function for origin requests and origin responses.
//
//   origin-request   key -> tenant -> home region and shard; the request goes on to https://<code>.api.<domain>/<shard>/..., or is refused
//   origin-response  a region says that the tenant is not there (421): forget it, and ask the client to repeat; what looks like a region's failure is
//                    remembered
//
// The same handler routes between local regions: createRouter() takes the registry, the clock and the regions' addresses.
// Events: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-event-structure.html
import { attemptOf, configReader, isOwnHeader } from './config.mjs';
import { decideHome, decideOpen, isOpen, refusePath, tenantOfPath } from './decision.mjs';
import { dynamoReader } from './dynamodb.mjs';
import { askHealth, Breakers, Watch } from './health.mjs';
import { keyIdOfHeader } from './key.mjs';
import { makeLog } from './log.mjs';
import { LIMITS, Registry, RegistryFault } from './registry.mjs';
import { answerParts } from './response.mjs';

const MOVED = '421'; // RFC 9110 section 15.5.20

// Prism answers its own errors as problem details. An error of another kind comes from what stands before it.
const isProblem = (headers) => headers['content-type']?.[0]?.value.startsWith('application/problem+json') ?? false;

// here      the region that this runs in, for what is near
// read      read(region, table, partition) of the registry
// ask       ask(domain): is that region healthy? null: never asked
// regions   circuit breakers by a region's domain; may be given, to be seen or steered from outside
// originOf  region -> members of the origin that differ from the distribution's
export function createRouter({
  here,
  read,
  ask = askHealth,
  now = Date.now,
  log = makeLog(),
  limits = LIMITS,
  regions = new Breakers({ now, onChange: (name, state) => log.warn(`circuit of ${name} is ${state}`) }),
  originOf = (region) => ({ domainName: region.origin }),
}) {
  const configOf = configReader(here);
  const stores = new Breakers({ now, onChange: (name, state) => log.warn(`circuit of the replica in ${name} is ${state}`) });
  const registry = new Registry({ read, breakers: stores, log, now, limits });
  const watch = ask ? new Watch({ ask, breakers: regions, now }) : null;
  const regionOfDomain = new Map(); // where requests went, for the answers, whose event has no configuration

  function forward(request, { region, shard }) {
    const custom = request.origin.custom;
    Object.assign(custom, originOf(region), { path: shard ? `/${shard}` : '' });
    for (const name of Object.keys(custom.customHeaders)) if (isOwnHeader(name)) delete custom.customHeaders[name];
    for (const name of Object.keys(request.headers)) if (isOwnHeader(name)) delete request.headers[name];
    request.headers.host = [{ key: 'Host', value: custom.domainName }];
    regionOfDomain.set(custom.domainName, region);
    watch?.sent(region.origin);
    return request;
  }

  async function decide(request, config) {
    const { method, uri, headers } = request;
    const refused = refusePath(uri);
    if (refused) return refused;
    if (isOpen(method, uri)) return decideOpen(config, regions, attemptOf(request.origin.custom.customHeaders));
    const keyId = keyIdOfHeader(headers.authorization);
    const home = keyId && (await registry.homeOf(keyId, config, tenantOfPath(uri)));
    return home ? decideHome(config, regions, home) : { refuse: 'unauthorized' };
  }

  async function onRequest({ config: { requestId }, request }) {
    let decision;
    try {
      decision = await decide(request, configOf(request.origin.custom.customHeaders));
    } catch (error) {
      log.error(error.message, { requestId });
      decision = error instanceof RegistryFault ? { refuse: 'registryDown', retryAfterS: 1 } : { refuse: 'routerFailed' };
    }
    return decision.refuse ? answerParts(decision.refuse, requestId, decision) : forward(request, decision);
  }

  function onResponse({ config: { requestId }, request, response }) {
    const domain = request.origin?.custom?.domainName ?? request.headers.host?.[0]?.value;
    const region = regionOfDomain.get(domain);
    const name = region?.origin ?? domain;
    watch?.heard(name);
    if (Number(response.status) >= 500 && !isProblem(response.headers)) regions.failed(name);
    else regions.succeeded(name);
    if (response.status !== MOVED) return response;

    const keyId = keyIdOfHeader(request.headers.authorization);
    if (keyId) registry.moved(keyId, region?.name, tenantOfPath(request.uri));
    const { headers, ...parts } = answerParts('moved', requestId, { retryAfterS: 1 });
    Object.assign(response, parts);
    delete response.headers['content-encoding'];
    Object.assign(response.headers, headers);
    return response;
  }

  return async (event) => {
    const { cf } = event.Records[0];
    return cf.config.eventType === 'origin-response' ? onResponse(cf) : onRequest(cf);
  };
}

export const handler = createRouter({ here: process.env.AWS_REGION, read: dynamoReader() });
