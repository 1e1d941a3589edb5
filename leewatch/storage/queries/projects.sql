-- Projects and their API keys. Times are seconds since the epoch, 0 where there is none.

-- name: projects
-- Projects that were created and not deleted, with their limits.
SELECT name, spans_per_second, bytes_per_second, toUnixTimestamp64Milli(created_at) / 1000 AS created
FROM projects FINAL WHERE NOT deleted ORDER BY name;

-- name: keys
-- Keys that are valid now.
SELECT id, project, digest, ifNull(toUnixTimestamp64Milli(ends_at), 0) / 1000 AS ends,
    toUnixTimestamp64Milli(created_at) / 1000 AS created
FROM api_keys FINAL WHERE ends_at IS NULL OR ends_at > now64(3, 'UTC') ORDER BY project, created, id;

-- name: put_project
-- Creates a project, or changes its limits.
INSERT INTO projects (name, spans_per_second, bytes_per_second, created_at)
SELECT {project:String}, {spans:Nullable(Float64)}, {bytes:Nullable(Float64)},
    if(count() > 0, any(created_at), now64(3, 'UTC'))
FROM projects FINAL WHERE name = {project:String} AND NOT deleted;

-- name: delete_project
-- Marks a project as deleted; its data stays.
INSERT INTO projects (name, deleted, created_at)
SELECT name, true, created_at FROM projects FINAL WHERE name = {project:String} AND NOT deleted;

-- name: put_key
-- Adds a key.
INSERT INTO api_keys (id, project, digest) SELECT {id:String}, {project:String}, {digest:String};

-- name: end_keys
-- Ends valid keys after so many seconds: one key, or all of a project.
INSERT INTO api_keys (id, project, digest, ends_at, created_at)
SELECT id, project, digest, least(ifNull(ends_at, toDateTime64('2200-01-01', 3, 'UTC')), now64(3, 'UTC') + toIntervalSecond({seconds:Int64})),
    created_at
FROM api_keys FINAL
WHERE (ends_at IS NULL OR ends_at > now64(3, 'UTC')) AND ({id:String} = '' OR id = {id:String})
    AND ({project:String} = '' OR project = {project:String});
