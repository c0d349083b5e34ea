// A web server of the smallest kind that a pipeline can deploy, watch and replace without losing a request.
'use strict';

const http = require('node:http');

function createServer({ commit = process.env.COMMIT ?? 'unknown', log = console.log } = {}) {
  return http.createServer((request, response) => {
    const answer = (status, body) => {
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
      response.end(request.method === 'HEAD' ? undefined : `${JSON.stringify(body)}\n`);
      log(JSON.stringify({ method: request.method, path: request.url, status }));
    };
    const { pathname } = new URL(request.url, 'http://localhost');
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, { error: 'method not allowed' });
    if (pathname === '/') return answer(200, { hello: 'world', commit });
    if (pathname === '/healthz') return answer(200, { ok: true });
    return answer(404, { error: 'not found' });
  });
}

// ECS sends SIGTERM and, 30 s later, SIGKILL. Until then what was begun is finished, and nothing new is taken.
function stopOn(signal, server, { patience = 20_000, log = console.log } = {}) {
  process.once(signal, () => {
    log(JSON.stringify({ stopping: signal }));
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(1), patience).unref();
  });
}

if (require.main === module) {
  const port = Number(process.env.PORT ?? 8080);
  const server = createServer();
  for (const signal of ['SIGTERM', 'SIGINT']) stopOn(signal, server);
  server.listen(port, () => console.log(JSON.stringify({ listening: server.address().port })));
}

module.exports = { createServer };
