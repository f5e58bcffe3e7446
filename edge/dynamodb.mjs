// dynamodb.mjs - reads one item of a replica, with the SDK that Lambda's Node.js runtime brings (so the package has no dependency).
import { createRequire } from 'node:module';

// The runtime's modules are found through NODE_PATH, which require() follows and import does not.
const load = () => createRequire(import.meta.url)('@aws-sdk/client-dynamodb');

// A replica that does not answer at once is left for the next one, so the SDK itself repeats nothing.
const PATIENCE = { connectionTimeout: 500, requestTimeout: 1_000 };

// Returns read(region, table, partition): promise of the document, JSON text, or of undefined where there is no such item.
// Attributes of an item: infra/global/README.md, Items.
export function dynamoReader({ sdk = load, now = Date.now } = {}) {
  const clients = new Map();
  const clientOf = (region, { DynamoDBClient }) => {
    if (!clients.has(region)) clients.set(region, new DynamoDBClient({ region, maxAttempts: 1, requestHandler: PATIENCE }));
    return clients.get(region);
  };
  return async (region, table, partition) => {
    const modules = sdk();
    const { Item: item } = await clientOf(region, modules).send(
      new modules.GetItemCommand({
        TableName: table,
        Key: { pk: { S: partition }, sk: { S: '#' } },
        ProjectionExpression: '#document, #expires',
        ExpressionAttributeNames: { '#document': 'document', '#expires': 'expires_at' },
      }),
    );
    if (!item) return undefined;
    const expiresS = Number(item.expires_at?.N ?? 0);
    // DynamoDB removes what has expired within days; it is absent at once.
    if (expiresS > 0 && expiresS * 1000 <= now()) return undefined;
    return item.document?.S ?? '';
  };
}
