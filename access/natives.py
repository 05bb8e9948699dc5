"""What the peer calls its actions: roles may name them, done here yet or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

_NAMES: Final = {
    "admin": (
        "dump loadFixtures loadMappings loadSecurities refreshIndexCache resetCache "
        "resetDatabase resetSecurity shutdown"
    ),
    "auth": (
        "checkRights checkToken createApiKey createMyCredentials createToken credentialsExist "
        "deleteApiKey deleteMyCredentials getCurrentUser getMyCredentials getMyRights "
        "getStrategies login logout refreshToken searchApiKeys updateMyCredentials updateSelf "
        "validateMyCredentials"
    ),
    "bulk": "deleteByQuery import mWrite updateByQuery write",
    "cluster": "status",
    "collection": (
        "create delete deleteSpecifications exists getMapping getSettings getSpecifications "
        "list refresh scrollSpecifications searchSpecifications truncate update updateMapping "
        "updateSpecifications validateSpecifications"
    ),
    "debug": "addListener disable enable nodeVersion post removeListener",
    "device-manager/assets": (
        "create delete export exportMeasures get getLastMeasuredAt getLastMeasures getMeasures "
        "mGetLastMeasuredAt mGetLastMeasures mMeasureIngest measureIngest migrateTenant "
        "replaceMetadata search update updateModelLocales upsert"
    ),
    "device-manager/assetsGroup": "addAsset create delete get removeAsset search update",
    "device-manager/decoders": "list prunePayloads route",
    "device-manager/devices": (
        "attachEngine create delete detachEngine export exportMeasures get getLastMeasuredAt "
        "getLastMeasures getMeasures linkAsset mGetLastMeasuredAt mGetLastMeasures "
        "receiveMeasures replaceMetadata search unlinkAsset update upsert"
    ),
    "device-manager/engine": "create delete exists list update",
    "device-manager/models": (
        "deleteAsset deleteDevice deleteGroup deleteMeasure getAsset getDevice getGroup "
        "getMeasure listAssets listDevices listGroups listMeasures searchAssets searchDevices "
        "searchGroups searchMeasures updateAsset writeAsset writeDevice writeGroup writeMeasure"
    ),
    "device-manager/payloads": "dummy-temp dummy-temp-position receiveUnknown",
    "document": (
        "count create createOrReplace delete deleteByQuery deleteFields exists export get "
        "mCreate mCreateOrReplace mDelete mExists mGet mReplace mUpdate mUpsert replace scroll "
        "search update updateByQuery upsert validate"
    ),
    "index": "create delete exists list mDelete stats",
    "memoryStorage": (
        "append bitcount bitop bitpos dbsize decr decrby del exists expire expireat flushdb "
        "geoadd geodist geohash geopos georadius georadiusbymember get getbit getrange getset "
        "hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hscan hset "
        "hsetnx hstrlen hvals incr incrby incrbyfloat keys lindex linsert llen lpop lpush "
        "lpushx lrange lrem lset ltrim mexecute mget mset msetnx object persist pexpire "
        "pexpireat pfadd pfcount pfmerge ping psetex pttl randomkey rename renamenx rpop "
        "rpoplpush rpush rpushx sadd scan scard sdiff sdiffstore set setex setnx sinter "
        "sinterstore sismember smembers smove sort spop srandmember srem sscan strlen sunion "
        "sunionstore time touch ttl type zadd zcard zcount zincrby zinterstore zlexcount zrange "
        "zrangebylex zrangebyscore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore "
        "zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunionstore"
    ),
    "realtime": "count join list publish subscribe unsubscribe validate",
    "security": (
        "checkRights createApiKey createCredentials createFirstAdmin createOrReplaceProfile "
        "createOrReplaceRole createProfile createRestrictedUser createRole createUser "
        "deleteApiKey deleteCredentials deleteProfile deleteRole deleteUser "
        "getAllCredentialFields getCredentialFields getCredentials getCredentialsById "
        "getProfile getProfileMapping getProfileRights getRole getRoleMapping getUser "
        "getUserMapping getUserRights getUserStrategies hasCredentials mDeleteProfiles "
        "mDeleteRoles mDeleteUsers mGetProfiles mGetRoles mGetUsers refresh replaceUser "
        "restrictDefaultRights revokeTokens scrollProfiles scrollUsers searchApiKeys "
        "searchProfiles searchRoles searchUsers searchUsersByCredentials updateCredentials "
        "updateProfile updateProfileMapping updateRole updateRoleMapping updateUser "
        "updateUserMapping upsertUser validateCredentials"
    ),
    "server": (
        "adminExists capabilities getAllStats getConfig getLastStats getStats healthCheck info "
        "metrics now openapi publicApi"
    ),
}

NATIVE: Final[Mapping[str, Sequence[str]]] = {
    **{controller: tuple(names.split()) for controller, names in _NAMES.items()},
    "ms": tuple(_NAMES["memoryStorage"].split()),
}
"""The actions of each controller of Kuzzle 2.56 and device-manager 2.10."""
