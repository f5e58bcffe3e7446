// response.mjs - answers that the edge gives itself, worded like the regions' (x-amazon-apigateway-gateway-responses of platform/api.openapi.json), so
// that a client cannot tell, and need not know, who refused it. RFC 9457.
const ANSWERS = {
  unauthorized: [401, 'Unauthorized', 'send Authorization: Bearer <key>; the key is missing, unknown, expired or revoked'],
  noRoute: [404, 'Not Found', 'no such route'],
  badPath: [400, 'Bad Request', 'the path is not in its normal form: no empty segments, no dots, no escaped slashes'],
  routerFailed: [500, 'Internal Server Error', 'the router failed'],
  regionDown: [503, 'Service Unavailable', 'the home region is not available; repeat later'],
  registryDown: [503, 'Service Unavailable', 'the tenant registry cannot be read; repeat later'],
  moved: [503, 'Service Unavailable', 'the tenant has moved to another region; repeat the request'],
};

const header = (key, value) => [{ key, value }];

export function answerParts(name, requestId, { retryAfterS } = {}) {
  const [status, title, detail] = ANSWERS[name];
  const headers = {
    'content-type': header('Content-Type', 'application/problem+json'),
    'cache-control': header('Cache-Control', 'no-store'),
  };
  if (status === 401) headers['www-authenticate'] = header('WWW-Authenticate', 'Bearer');
  if (retryAfterS !== undefined) headers['retry-after'] = header('Retry-After', String(retryAfterS));
  return {
    status: String(status),
    statusDescription: title,
    headers,
    body: JSON.stringify({ type: 'about:blank', title, status, detail, requestId }),
  };
}
