// Runs the public audit of GraphQL over HTTP against the URL in argv; prints one JSON array of {id, name, status, reason}.
import { serverAudits } from 'graphql-http';

const results = [];
for (const audit of serverAudits({ url: process.argv[2], fetchFn: fetch })) {
  const result = await audit.fn();
  results.push({ id: audit.id, name: audit.name, status: result.status, reason: result.reason ?? '' });
}
console.log(JSON.stringify(results));
