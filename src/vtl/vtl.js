/* src/vtl/vtl.js - the subset of VTL, and $input, $context, $stageVariables and $util around velocityjs. Compiled to bytecode at build time
 * (tools/jsbake.c).
 *
 * Called when the module has run; returns [check(template), render(template, input as JSON)]; what they throw says why.
 *
 * The subset, everything else is refused by check():
 *   $input.body, $input.json('$.a[0].b'), $input.path('$.a'), $input.params('name'), $context.name, $stageVariables.name,
 *   $util.escapeJavaScript(x), urlEncode, urlDecode, base64Encode, base64Decode; x.replaceAll("\\'","'") behind escapeJavaScript
 *   #set($x = reference or 'text'), once for each name; #set($context.responseOverride.status = 409)
 *   #if, #elseif, #else, #end with reference == "text", !=, reference.contains("text"), &&, ||, !( )
 *
 * Invariant: what a template makes is JSON, whatever a request holds, and so is JSON that stands in a string of it (the input of
 * StartExecution). check() follows the quotes of the template's own text, and by \" those of the JSON within its strings: in a string stands
 * only what is escaped as often as strings are open there, elsewhere only $input.json(). So no value ends the string that it stands in.
 *
 * Where velocityjs and Velocity (Java) differ, a template is refused:
 *   truth of a bare reference (an empty text is false here, true in Velocity 1.7); numbers, ranges, maps, lists, their methods; == between others
 *   than texts; what it does not know, such as #stop, is text here; \$ and \#; space around directives (so none stand within a string); a
 *   reference without value is its own text in both, which nobody wants: $context and $input.json() fail. replaceAll() takes a pattern in Java,
 *   a text in JavaScript: only the one that API Gateway's documentation names is known, and done by hand. */
(function () {
    'use strict';
    const { parse, Compile } = globalThis.velocityjs;

    function refuse(why) {
        throw new Error(why);
    }

    /* ---- kinds of text ----
     *
     *   {is: 'text', depth}    escaped for a string within `depth` strings; 0: of a request, anything
     *   {is: 'json', depth}    a JSON text, likewise; 0: stands outside of strings
     *   {..., script: true}    escapeJavaScript() alone: has \' in it, which JSON does not know */
    const depth_any = 9; /* nothing in it is ever escaped */
    const raw = { is: 'text', depth: 0 }, plain = { is: 'text', depth: depth_any }, json = { is: 'json', depth: 0 };

    /* $context by name; authorizer.* is raw. Source: developer guide, "Variables for data transformations". */
    const context_kinds = {
        __proto__: null,
        'requestId': plain,
        'apiId': plain,
        'stage': plain,
        'httpMethod': plain,
        'resourcePath': plain,
        'identity.sourceIp': plain,
        'domainName': raw,
        'path': raw,
        'identity.userAgent': raw,
    };
    const util_kinds = {
        __proto__: null,
        escapeJavaScript: (kind) => ({ is: kind.is, depth: Math.min(kind.depth + 1, depth_any), script: true }),
        urlEncode: () => plain,
        urlDecode: () => raw,
        base64Encode: () => plain,
        base64Decode: () => raw,
    };
    const roots = ['input', 'context', 'stageVariables', 'util', 'foreach', 'velocityCount', 'macro', 'eval'];

    /* A text of the template that means itself, however it is read. */
    function literal(ast, what) {
        if (!ast || ast.type !== 'string') refuse(what + ' must be a text in quotes');
        if (/[$#\\"'\x00-\x1f]/.test(ast.value)) refuse(what + " must not have $, #, \\ or quotes in it: '" + ast.value + "'");
        return ast.value;
    }

    function only(args, name) {
        if (!args || args.length !== 1) refuse(name + ' takes one argument');
        return args[0];
    }

    const path_pattern = /^\$(?:\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]{1,6}\])*$/;

    function input_kind(step) {
        if (step && step.type === 'property' && step.id === 'body') return raw;
        if (!step || step.type !== 'method' || !['json', 'path', 'params'].includes(step.id))
            refuse('$input has body, json(), path() and params() here');
        const name = '$input.' + step.id + '()', given = only(step.args, name);
        if (step.id === 'params') {
            if (!/^[A-Za-z0-9_.-]+$/.test(literal(given, name))) refuse(name + ' takes the name of a parameter');
            return raw;
        }
        if (given.type !== 'string' || given.isEval || !path_pattern.test(given.value))
            refuse(name + " takes a path such as '$.a.b[0]', in single quotes");
        return step.id === 'json' ? json : raw;
    }

    function util_kind(step, template) {
        if (!step || step.type !== 'method' || !util_kinds[step.id])
            refuse('$util has ' + Object.keys(util_kinds).join(', ') + ' here' +
                   (step && step.id === 'parseJson' ? "; $input.path('$.a') does what parseJson is for" : ''));
        const given = only(step.args, '$util.' + step.id + '()');
        if (given.type !== 'references') refuse('$util.' + step.id + '() takes a reference');
        return util_kinds[step.id](reference_kind(given, template));
    }

    function context_kind(steps, template) {
        const names = [];
        while (steps.length && steps[0].type === 'property') names.push(steps.shift().id);
        const name = names.join('.');
        const kind = /^authorizer\.[A-Za-z0-9_]+$/.test(name) ? raw : context_kinds[name];
        if (!kind) refuse('$context.' + name + ' is not known here');
        template.context.add(name);
        return kind;
    }

    function stage_kind(step, template) {
        if (!step || step.type !== 'property') refuse('$stageVariables needs a name');
        template.stage.add(step.id);
        return plain; /* letters of URLs alone: API reference, CreateStage */
    }

    function is_unquote(step) {
        return step.type === 'method' && step.id === 'replaceAll' && step.args && step.args.length === 2 &&
               step.args[0].type === 'string' && step.args[0].value === "\\\\'" && step.args[1].type === 'string' && step.args[1].value === "'";
    }

    /* steps: what is behind the reference's name; those that are understood are taken off. */
    function root_kind(ast, steps, template) {
        switch (ast.id) {
        case 'input': return input_kind(steps.shift());
        case 'util': return util_kind(steps.shift(), template);
        case 'context': return context_kind(steps, template);
        case 'stageVariables': return stage_kind(steps.shift(), template);
        }
        if (!template.names.has(ast.id)) refuse('$' + ast.id + ' is not set where it is used');
        return template.names.get(ast.id);
    }

    function reference_kind(ast, template, steps = Array.from(ast.path || [])) {
        if (ast.type !== 'references' || ast.leader !== '$' || ast.args !== undefined) refuse('only $name and ${name} are known');
        let kind = root_kind(ast, steps, template);
        for (const step of steps) {
            if (!kind.script || !is_unquote(step))
                refuse('.' + step.id + " cannot stand there; behind $util.escapeJavaScript() may be .replaceAll(\"\\\\'\",\"'\")");
            kind = { is: kind.is, depth: kind.depth };
        }
        return kind;
    }

    /* ---- conditions ---- */

    function comparison(ast, template) {
        const [left, right] = ast.expression;
        const kind = reference_kind(left, template);
        if (kind.is === 'json') refuse('$input.json() cannot be compared; $input.path() can');
        literal(right, 'what is compared with');
    }

    function contains(ast, template) {
        const steps = Array.from(ast.path || []), last = steps.pop();
        if (!last || last.type !== 'method' || last.id !== 'contains')
            refuse('a condition is reference == "text", != or reference.contains("text")');
        literal(only(last.args, 'contains()'), 'what contains() looks for');
        reference_kind(ast, template, steps);
    }

    function condition(ast, template, above) {
        if (ast.type !== 'math') return contains(ast, template);
        switch (ast.operator) {
        case '==':
        case '!=': return comparison(ast, template);
        case 'parenthesis': return condition(ast.expression[0], template);
        case 'not':
            if (ast.expression[0].type === 'math' && ast.expression[0].operator !== 'parenthesis') refuse('! needs parentheses behind it');
            return condition(ast.expression[0], template);
        case '&&':
        case '||':
            if (above && above !== ast.operator) refuse('&& and || beside each other need parentheses');
            for (const part of ast.expression) condition(part, template, ast.operator);
            return;
        }
        refuse('a condition has no ' + ast.operator);
    }

    /* ---- the template's text ---- */

    /* Where the text so far ends: `string`: in a string; `escaped`: behind its \. Of that string: `nested`: a \" was in it, so it is JSON; `inner`: a
     * string of that JSON is open; `lone`: something stood in it that is escaped for a plain string. */
    function open_at(at, string) {
        Object.assign(at, { string, escaped: false, nested: false, inner: false, lone: false });
    }

    function read_escaped(c, at) {
        at.escaped = false;
        if (c === 'u') refuse('\\u in a string');
        if (c === '\\' && at.nested) refuse('strings in strings in strings');
        if (c !== '"') return;
        if (at.lone) refuse('a value stands in front of the JSON within a string');
        at.nested = true;
        at.inner = !at.inner;
    }

    function read_text(text, at) {
        if (/[$#]/.test(text)) refuse('$ and # stand for references and directives alone, not as in: ' + text.slice(0, 40));
        for (const c of text) {
            if (at.string && c < ' ') refuse('a line ends within a string');
            if (at.escaped) read_escaped(c, at);
            else if (c === '\\' && !at.string) refuse('\\ outside of a string');
            else if (c === '\\') at.escaped = true;
            else if (c === '"' && at.inner) refuse('a string within a string does not end');
            else if (c === '"') open_at(at, !at.string);
        }
    }

    function read_reference(ast, template, at) {
        if (at.escaped) refuse('\\ before a reference');
        const kind = reference_kind(ast, template);
        const depth = at.string ? (at.inner ? 2 : 1) : 0;
        if (kind.script) refuse("behind $util.escapeJavaScript() stands .replaceAll(\"\\\\'\",\"'\") here, since JSON has no \\'");
        if (kind.is === 'json') {
            const fits = at.inner ? false : at.string ? kind.depth === 1 : kind.depth === 0;
            if (!fits) refuse('$input.json() stands outside of strings, since it brings its own quotes; for JSON in a string it is escaped once');
            if (at.string && !at.nested) at.lone = true;
            return;
        }
        if (!at.string || (at.nested && !at.inner)) refuse('a text stands within a string');
        if (kind.depth !== depth_any && kind.depth !== depth)
            refuse('a value of the request stands in ' + depth + ' string(s) here and is escaped ' + kind.depth +
                   " time(s): $util.escapeJavaScript(...).replaceAll(\"\\\\'\",\"'\") for each");
        if (!at.nested) at.lone = true;
    }

    function read_set(ast, template) {
        const [to, value] = ast.equal, steps = to.path || [];
        if (to.id === 'context' && steps.map((step) => step.id).join('.') === 'responseOverride.status') {
            if (value.type !== 'integer' || !/^[1-5][0-9][0-9]$/.test(value.value)) refuse('$context.responseOverride.status is a status of HTTP');
            return;
        }
        if (to.path || !/^[a-z][A-Za-z0-9_]*$/.test(to.id) || roots.includes(to.id)) refuse('#set is of a name of its own, or of $context.responseOverride.status');
        if (template.taken.has(to.id)) refuse('$' + to.id + ' is set twice');
        const kind = value.type === 'references' ? reference_kind(value, template) : (literal(value, 'what #set sets'), plain);
        template.names.set(to.id, kind);
        template.taken.add(to.id);
    }

    /* Branches begin where the #if stands, and end alike; names that are set in one are known in it alone. */
    function read_if(block, template, at) {
        const begin = at.string, names = template.names;
        let otherwise = false;
        for (const ast of block) {
            if (['if', 'elseif', 'else'].includes(ast.type)) {
                if (at.string !== begin || at.escaped) refuse('branches of an #if end alike');
                if (otherwise) refuse('#else comes last');
                template.names = new Map(names);
                otherwise = ast.type === 'else';
                if (!otherwise) condition(ast.condition, template);
            } else {
                read_one(ast, template, at);
            }
        }
        template.names = names;
        if (at.string !== begin || at.escaped) refuse('branches of an #if end alike');
    }

    function read_one(ast, template, at) {
        if (typeof ast === 'string') return read_text(ast, at);
        if (ast.type === 'references') return read_reference(ast, template, at);
        if (at.string) refuse('a directive stands within a string');
        if (ast.type === 'set') return read_set(ast, template);
        if (Array.isArray(ast) && ast[0].type === 'if') return read_if(ast, template, at);
        refuse('#' + (Array.isArray(ast) ? ast[0].type : ast.type) + ' is not known here');
    }

    /* The module drops what is behind an #end too many, and closes an #if by itself. Every # is a directive: texts and strings have none. */
    function read_levels(text) {
        let depth = 0;
        for (const [, word] of text.matchAll(/#(?:\{?(if|elseif|else|set|end)\b)?/g)) {
            if (!word) refuse('after # stands if, elseif, else, set or end');
            depth += word === 'if' ? 1 : word === 'end' ? -1 : 0;
            if (depth < 0) refuse('an #end without #if');
        }
        if (depth > 0) refuse('an #if without #end');
    }

    function read(text) {
        read_levels(text);
        const template = { asts: parse(text), context: new Set(), stage: new Set(), names: new Map(), taken: new Set() };
        const at = {};
        open_at(at, false);
        if (/#\*|##|#\[\[/.test(text)) refuse('comments and #[[ ]]# are not known here');
        for (const ast of template.asts) read_one(ast, template, at);
        if (at.string || at.escaped) refuse('a string does not end');
        return template;
    }

    /* ---- $util ---- */

    const short = { '\b': '\\b', '\n': '\\n', '\t': '\\t', '\f': '\\f', '\r': '\\r' };

    /* As Commons Lang's escapeEcmaScript, which API Gateway's examples show the answers of. */
    function escapeJavaScript(text) {
        return text.replace(/['"\\\/]/g, (c) => '\\' + c)
            .replace(/[^\x20-\x7f]/g, (c) => short[c] || '\\u' + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0'));
    }

    /* Of half a surrogate pair: "?", as Java has it. */
    function whole(text) {
        return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])/g, '?').replace(/(^|[^\ud800-\udbff])[\udc00-\udfff]/g, '$1?');
    }

    const util = {
        escapeJavaScript,
        urlEncode: (text) => encodeURIComponent(whole(text)).replace(/[!'()~]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase()).replace(/%20/g, '+'),
        urlDecode: (text) => decodeURIComponent(text.replace(/\+/g, ' ')),
        base64Encode: (text) => btoa(encodeURIComponent(whole(text)).replace(/%(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)))),
        base64Decode: (text) => decodeURIComponent(atob(text).replace(/[^]/g, (c) => '%' + c.charCodeAt(0).toString(16).padStart(2, '0'))),
    };

    /* ---- a request ---- */

    /* The one method of a text that is known, and contains(); both mean in Java what is done here. */
    const handlers = [
        {
            uid: 'replaceAll',
            match: ({ property, context }) => typeof context === 'string' && property === 'replaceAll',
            resolve: ({ context }) => context.split("\\'").join("'"),
        },
        {
            uid: 'contains',
            match: ({ property, context }) => typeof context === 'string' && property === 'contains',
            resolve: ({ context, params }) => context.includes(params[0]),
        },
    ];

    function find(document, path) {
        let value = document;
        for (const [, name, index] of path.matchAll(/\.([A-Za-z0-9_]+)|\[([0-9]+)\]/g)) {
            const key = name === undefined ? Number(index) : name;
            const fits = typeof value === 'object' && value !== null && Array.isArray(value) === (name === undefined);
            if (!fits || !Object.hasOwn(value, key)) refuse('the body has no ' + path);
            value = value[key];
        }
        return value;
    }

    /* What it is as a text is the same in Java: no fractions, no objects. */
    function scalar(value, path) {
        if (typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
        refuse(path + ' of the body is no text, number without fraction, true or false');
    }

    function input_of(given) {
        let parsed, document;
        function body() {
            if (!parsed) {
                try {
                    document = JSON.parse(given.body);
                } catch (error) {
                    refuse('the body is not JSON');
                }
            }
            parsed = true;
            return document;
        }
        function params(name) {
            const lower = name.toLowerCase();
            for (const [known, value] of given.path.concat(given.query)) if (known === name) return value;
            for (const [known, value] of given.headers) if (known.toLowerCase() === lower) return value;
            return '';
        }
        return { body: given.body, json: (path) => JSON.stringify(find(body(), path)), path: (path) => scalar(find(body(), path), path), params };
    }

    /* $context and $stageVariables: what the template names, as objects in each other. */
    function tree(pairs, names, what) {
        const values = new Map(pairs), made = Object.create(null);
        for (const name of names) {
            if (!values.has(name)) refuse('the request has no ' + what + '.' + name);
            const parts = name.split('.'), last = parts.pop();
            let at = made;
            for (const part of parts) at = at[part] || (at[part] = Object.create(null));
            at[last] = values.get(name);
        }
        return made;
    }

    const templates = new Map(), templates_max = 64;

    function template_of(text) {
        let template = templates.get(text);
        if (template) return template;
        if (templates.size >= templates_max) templates.clear();
        template = read(text);
        templates.set(text, template);
        return template;
    }

    function render(text, json) {
        const template = template_of(text), given = JSON.parse(json);
        const context = tree(given.context, template.context, '$context');
        context.responseOverride = { status: 0 };
        const compiler = new Compile(template.asts, { customMethodHandlers: handlers });
        const made = compiler.render({
            input: input_of(given),
            context,
            stageVariables: tree(given.stageVariables, template.stage, '$stageVariables'),
            util: Object.assign({}, util), /* the module writes to it */
        }, {});
        return [made, context.responseOverride.status];
    }

    return [(text) => void template_of(text), render];
})
